//! Handing things to other servers until they take them.

use std::time::Duration;

use http::StatusCode;
use rushlight_model::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::http_client::{HttpError, Patience};

/// How long other servers may take.
pub(crate) const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(10),
    piece: Duration::from_secs(5),
};
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may be taken later.
    Passing(String),
    /// It never will be.
    Lasting(String),
}

impl Failure {
    /// An answer that is not what was hoped for, with what it says of itself.
    pub(crate) fn of_answer(status: StatusCode, text: &str) -> Self {
        let text = format!("{status}: {}", text.chars().take(500).collect::<String>());
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Self::Passing(text),
            status if status.is_server_error() => Self::Passing(text),
            _ => Self::Lasting(text),
        }
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Passing(error.to_string())
    }
}

/// Delivers to one place.
#[derive(Debug, Clone)]
pub(crate) struct Courier {
    /// What the place is called in the server's own log.
    pub(crate) place: String,
    /// When cancelled nothing is tried any more.
    pub(crate) stop: CancellationToken,
}

impl Courier {
    /// Tries until it is taken, refused for good, or time is up. `count` is of what is lost then.
    pub(crate) async fn deliver<F: Future<Output = Result<(), Failure>>>(
        &self,
        count: usize,
        attempt: impl Fn() -> F,
    ) {
        let mut pause = FIRST_PAUSE;
        let lost = |error: &str| {
            tracing::error!(place = self.place, count, error, "delivery.lost");
        };
        loop {
            let result = tokio::select! {
                result = attempt() => result,
                () = self.stop.cancelled() => return lost("the server was stopped"),
            };
            match result {
                Ok(()) => return,
                Err(Failure::Lasting(error)) => return lost(&error),
                Err(Failure::Passing(error)) => {
                    tracing::warn!(place = self.place, error, "delivery.failed");
                }
            }
            let clock = Clock::real();
            tokio::select! {
                () = clock.sleep(pause) => {}
                () = self.stop.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{pending, ready};

    use super::*;

    fn courier() -> Courier {
        Courier { place: "test".into(), stop: CancellationToken::new() }
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_lasts_is_not() {
        let passing = || Err(Failure::Passing("later".into()));
        for answers in
            [vec![Ok(()), passing(), passing()], vec![Err(Failure::Lasting("no".into())), passing()]]
        {
            let answers = RefCell::new(answers);
            courier().deliver(1, || ready(answers.borrow_mut().pop().unwrap())).await;
            assert!(answers.into_inner().is_empty());
        }
    }

    #[tokio::test]
    async fn a_stopped_server_waits_for_nobody() {
        let courier = courier();
        courier.stop.cancel();
        courier.deliver(1, pending).await;
    }

    #[test]
    fn answers_tell_whether_to_try_again() {
        let passing = |status| matches!(Failure::of_answer(status, ""), Failure::Passing(_));
        assert!(passing(StatusCode::SERVICE_UNAVAILABLE) && passing(StatusCode::TOO_MANY_REQUESTS));
        assert!(!passing(StatusCode::FORBIDDEN) && !passing(StatusCode::BAD_REQUEST));
    }
}
