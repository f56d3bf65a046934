//! Errors that name the step of the set-up that was refused.

use std::io;

use crate::Error;

/// A refused step, before it becomes [`Error::Setup`] or crosses a process border.
#[derive(Debug)]
pub(crate) struct StepError {
    pub(crate) step: String,
    pub(crate) source: io::Error,
}

/// The outcome of a step.
pub(crate) type Step<T> = Result<T, StepError>;

impl From<StepError> for Error {
    fn from(error: StepError) -> Self {
        Self::Setup { step: error.step, source: error.source }
    }
}

/// Names the step that a result belongs to.
pub(crate) trait During<T> {
    /// `step` completes the sentence "cannot …".
    fn during(self, step: impl Into<String>) -> Step<T>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: impl Into<String>) -> Step<T> {
        self.map_err(|error| StepError { step: step.into(), source: error.into() })
    }
}
