//! The containers of an engine that does not tell of its trials.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::event::Event;

/// A container that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveContainer {
    /// Its name, where the engine gave it one.
    pub name: Option<String>,
    /// Its image.
    pub image: String,
    /// When it was made.
    pub begun_at: Timestamp,
    /// How many commands began in it.
    pub commands: u64,
    /// How the last of them begins.
    pub last: Option<String>,
    /// When that was told.
    pub last_at: Option<Timestamp>,
}

/// The containers in use, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveContainers(BTreeMap<String, LiveContainer>);

impl LiveContainers {
    /// What an event tells of one.
    pub(super) fn take_in(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::ContainerCreated {
                container,
                image,
                name,
            } => {
                let made = LiveContainer {
                    name: name.clone().filter(|name| !name.is_empty()),
                    image: image.clone(),
                    begun_at: at,
                    commands: 0,
                    last: None,
                    last_at: None,
                };
                self.0.insert(container.clone(), made);
            }
            Event::CommandsSeen {
                container,
                commands,
                last,
            } => {
                if let Some(known) = self.0.get_mut(container) {
                    known.commands = *commands;
                    known.last.clone_from(last);
                    known.last_at = Some(at);
                }
            }
            Event::ContainerEnded { container, .. } | Event::ContainerLost { container, .. } => {
                self.0.remove(container);
            }
            _ => {}
        }
    }

    /// Each with its id, the oldest first.
    #[must_use]
    pub fn by_age(&self) -> Vec<(&str, &LiveContainer)> {
        let mut all: Vec<_> = self.0.iter().map(|(id, it)| (id.as_str(), it)).collect();
        all.sort_by_key(|(_, it)| it.begun_at);
        all
    }
}
