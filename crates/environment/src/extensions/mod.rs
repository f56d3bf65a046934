//! The extensions of an environment as a pure state machine: who is there, what each has registered for and how far it
//! is. It starts no process and waits for nothing; [`host`] does what follows.
//!
//! ```text
//! external: Started ──register──> Registered ──next──> Ready <──event, next──> Running
//! internal:           register──> Registered    (the same from there)
//! any:      ──init/error──> InitError     ──exit/error──> ExitError     ──ends──> Exited
//! ```
//! Documentation followed: "Using the Lambda Extensions API to create extensions" in the AWS Lambda developer guide.

pub(crate) mod host;

use std::fmt;

use uuid::Uuid;

/// How many extensions an environment may have, of both kinds together.
pub(crate) const LIMIT: usize = 10;

/// What an extension can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Invoke,
    Shutdown,
}

impl EventKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// How far an extension is. The names are AWS', as refusals print them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its process was started.
    Started,
    Registered,
    /// It waits for an event.
    Ready,
    /// It has an event.
    Running,
    InitError,
    ExitError,
    /// Its process has ended.
    Exited,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

#[derive(Debug)]
struct Extension {
    name: String,
    id: Uuid,
    /// An executable of its own, not a part of the runtime's process.
    is_external: bool,
    events: Vec<EventKind>,
    stage: Stage,
}

/// Why an extension is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It may not do this now.
    State { from: String, to: &'static str, extension: String },
    /// The runtime is initialised, or nobody by this name was started.
    RegistrationClosed,
    /// An internal extension of this name is registered.
    NameTaken,
    /// There are ten.
    TooMany,
    /// Only external extensions are told of the end.
    ShutdownIsForExternal,
    /// No extension has this identifier.
    Unknown(Uuid),
}

/// What is shown of an extension in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) events: Vec<&'static str>,
}

/// All extensions of an environment.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    all: Vec<Extension>,
    /// The runtime was started and has not asked for an event yet: internal extensions may register.
    is_open: bool,
}

impl Extensions {
    /// Before the processes of these external extensions are started.
    pub(crate) fn started(names: impl IntoIterator<Item = String>) -> Self {
        let start = |name| Extension {
            name,
            id: Uuid::new_v4(),
            is_external: true,
            events: Vec::new(),
            stage: Stage::Started,
        };
        Self { all: names.into_iter().map(start).collect(), is_open: false }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether there are external ones.
    pub(crate) fn has_external(&self) -> bool {
        self.all.iter().any(|extension| extension.is_external)
    }

    /// Internal extensions may register from now on, or no longer.
    pub(crate) fn open(&mut self, is_open: bool) {
        self.is_open = is_open;
    }

    /// Whether every process that was started has registered.
    pub(crate) fn are_registered(&self) -> bool {
        self.all.iter().all(|extension| extension.stage != Stage::Started)
    }

    /// Whether all wait for an event.
    pub(crate) fn are_ready(&self) -> bool {
        self.all.iter().all(|extension| extension.stage == Stage::Ready)
    }

    pub(crate) fn register(&mut self, name: &str, events: &[EventKind]) -> Result<Uuid, Refused> {
        let external = |extension: &&mut Extension| extension.is_external && extension.name == name;
        if let Some(extension) = self.all.iter_mut().find(external) {
            if extension.stage != Stage::Started {
                return Err(refuse(extension, "Registered", name.to_owned()));
            }
            extension.stage = Stage::Registered;
            extension.events = events.to_vec();
            return Ok(extension.id);
        }
        if events.contains(&EventKind::Shutdown) {
            return Err(Refused::ShutdownIsForExternal);
        }
        if !self.is_open {
            return Err(Refused::RegistrationClosed);
        }
        if self.all.iter().any(|extension| extension.name == name) {
            return Err(Refused::NameTaken);
        }
        if self.all.len() >= LIMIT {
            return Err(Refused::TooMany);
        }
        let id = Uuid::new_v4();
        let (name, events, stage) = (name.to_owned(), events.to_vec(), Stage::Registered);
        self.all.push(Extension { name, id, is_external: false, events, stage });
        Ok(id)
    }

    /// The extension asks for an event. What is to be shown of it if it is the first time.
    pub(crate) fn next(&mut self, id: Uuid) -> Result<Option<Shown>, Refused> {
        let extension = self.find(id)?;
        let before = extension.stage;
        match before {
            Stage::Registered | Stage::Running => extension.stage = Stage::Ready,
            // Asked again, on another connection: the answer comes on the newest.
            Stage::Ready => {}
            _ => return Err(refuse(extension, "Ready", id.to_string())),
        }
        Ok((before == Stage::Registered).then(|| show(extension, "Ready")))
    }

    /// The extension reports that it cannot go on. What is to be shown of it.
    pub(crate) fn report(&mut self, id: Uuid, at_init: bool) -> Result<Shown, Refused> {
        let extension = self.find(id)?;
        match (at_init, extension.stage) {
            (true, Stage::Registered) => extension.stage = Stage::InitError,
            (false, Stage::Registered | Stage::Ready | Stage::Running) => extension.stage = Stage::ExitError,
            (true, _) => return Err(refuse(extension, "InitError", id.to_string())),
            (false, _) => return Err(refuse(extension, "ExitError", id.to_string())),
        }
        Ok(show(extension, &extension.stage.to_string()))
    }

    /// The process of an external extension has ended.
    pub(crate) fn exited(&mut self, name: &str) {
        let named = |extension: &&mut Extension| extension.is_external && extension.name == name;
        if let Some(extension) = self.all.iter_mut().find(named) {
            extension.stage = Stage::Exited;
        }
    }

    /// Who has this identifier.
    pub(crate) fn name(&self, id: Uuid) -> Result<String, Refused> {
        let named = self.all.iter().find(|extension| extension.id == id && extension.stage != Stage::Started);
        named.map(|extension| extension.name.clone()).ok_or(Refused::Unknown(id))
    }

    /// Those that wait and have registered for the event: they have it now.
    pub(crate) fn hand_out(&mut self, event: EventKind) -> Vec<Uuid> {
        let takes =
            |extension: &&mut Extension| extension.stage == Stage::Ready && extension.events.contains(&event);
        let taking = self.all.iter_mut().filter(takes);
        taking
            .map(|extension| {
                extension.stage = Stage::Running;
                extension.id
            })
            .collect()
    }

    /// Whether any external extension that lives has registered for the event.
    pub(crate) fn any_registered_for(&self, event: EventKind) -> bool {
        self.all.iter().any(|extension| {
            extension.is_external && extension.stage != Stage::Exited && extension.events.contains(&event)
        })
    }

    fn find(&mut self, id: Uuid) -> Result<&mut Extension, Refused> {
        self.all.iter_mut().find(|extension| extension.id == id).ok_or(Refused::Unknown(id))
    }
}

fn refuse(extension: &Extension, to: &'static str, name: String) -> Refused {
    Refused::State { from: extension.stage.to_string(), to, extension: name }
}

fn show(extension: &Extension, state: &str) -> Shown {
    Shown {
        name: extension.name.clone(),
        state: state.to_owned(),
        events: extension.events.iter().map(|event| event.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> (Extensions, Uuid) {
        let mut extensions = Extensions::started(["agent".to_owned()]);
        let id = extensions.register("agent", &[EventKind::Invoke, EventKind::Shutdown]).unwrap();
        (extensions, id)
    }

    #[test]
    fn the_life_of_an_external_extension() {
        let mut extensions = Extensions::started(["agent".to_owned()]);
        assert!(!extensions.are_registered() && !extensions.are_ready());
        let id = extensions.all[0].id;
        assert_eq!(extensions.name(id), Err(Refused::Unknown(id)), "nobody has told it its identifier");
        assert_eq!(extensions.register("agent", &[EventKind::Invoke]), Ok(id));
        assert!(extensions.are_registered() && !extensions.are_ready());
        assert_eq!(extensions.name(id).as_deref(), Ok("agent"));
        let shown = extensions.next(id).unwrap().unwrap();
        assert_eq!(
            (shown.name.as_str(), shown.state.as_str(), &*shown.events),
            ("agent", "Ready", &["INVOKE"][..])
        );
        assert!(extensions.are_ready());
        assert!(extensions.hand_out(EventKind::Shutdown).is_empty());
        assert_eq!(extensions.hand_out(EventKind::Invoke), [id]);
        assert!(!extensions.are_ready());
        assert_eq!(extensions.next(id), Ok(None), "shown once only");
        assert!(extensions.are_ready());
        extensions.exited("agent");
        assert!(!extensions.are_ready());
        assert!(extensions.next(id).is_err());
    }

    #[test]
    fn registering_has_its_time() {
        let (mut extensions, _) = one();
        let again = Refused::State { from: "Registered".into(), to: "Registered", extension: "agent".into() };
        assert_eq!(extensions.register("agent", &[]), Err(again));
        assert_eq!(extensions.register("inside", &[]), Err(Refused::RegistrationClosed));
        extensions.open(true);
        assert_eq!(
            extensions.register("inside", &[EventKind::Shutdown]),
            Err(Refused::ShutdownIsForExternal)
        );
        extensions.register("inside", &[EventKind::Invoke]).unwrap();
        assert_eq!(extensions.register("inside", &[]), Err(Refused::NameTaken));
        for number in 2..LIMIT {
            extensions.register(&number.to_string(), &[]).unwrap();
        }
        assert_eq!(extensions.register("one too many", &[]), Err(Refused::TooMany));
        extensions.open(false);
        assert_eq!(extensions.register("late", &[]), Err(Refused::RegistrationClosed));
    }

    #[test]
    fn errors_have_their_time_too() {
        let (mut extensions, id) = one();
        let unknown = Uuid::nil();
        assert_eq!(extensions.next(unknown), Err(Refused::Unknown(unknown)));
        extensions.next(id).unwrap();
        let late = Refused::State { from: "Ready".into(), to: "InitError", extension: id.to_string() };
        assert_eq!(extensions.report(id, true), Err(late));
        assert_eq!(extensions.report(id, false).unwrap().state, "ExitError");
        assert!(extensions.next(id).is_err() && extensions.report(id, false).is_err());
        let (mut extensions, id) = one();
        assert_eq!(extensions.report(id, true).unwrap().state, "InitError");
        assert!(extensions.next(id).is_err());
    }
}
