//! The names of a pipeline's slot and publication: those of its config, or ones that are made of the pipeline's name.

use pgwire::MOST_NAME_BYTES;
use serde::Deserialize;

use crate::position::digest_of;

const DIGEST_DIGITS: usize = 8;
const PREFIX: &str = "rapidbyte_";

/// What the config names; without it, names are made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct NamesConfig {
    pub(crate) replication_slot: Option<String>,
    pub(crate) publication: Option<String>,
}

/// The names of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) slot: String,
    pub(crate) publication: String,
    /// The slot was made for the pipeline, under a name that nothing else has.
    pub(crate) is_slot_ours: bool,
    /// The publication belongs to the pipeline, which may add tables to it.
    pub(crate) is_publication_ours: bool,
}

impl Names {
    pub(crate) fn new(config: &NamesConfig, database: &str, pipeline: &str) -> Names {
        let made = made_of(database, pipeline);
        Names {
            slot: config.replication_slot.clone().unwrap_or_else(|| made.clone()),
            publication: config.publication.clone().unwrap_or(made),
            is_slot_ours: config.replication_slot.is_none(),
            is_publication_ours: config.publication.is_none(),
        }
    }
}

/// A name that a slot can have, readable, and another one for every pipeline of every database: slots are the server's.
fn made_of(database: &str, pipeline: &str) -> String {
    let digest = format!("{:032x}", digest_of(format!("{database}\0{pipeline}").as_bytes()));
    let room = MOST_NAME_BYTES - PREFIX.len() - 1 - DIGEST_DIGITS;
    let readable = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let readable: String = pipeline.chars().map(readable).take(room).collect();
    format!("{PREFIX}{readable}_{}", &digest[..DIGEST_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::{Names, NamesConfig};

    #[test]
    fn names_are_made_of_the_pipelines() {
        let of = |database, pipeline| Names::new(&NamesConfig::default(), database, pipeline);
        let names = of("db", "Shop / é");
        assert_eq!(names.slot, names.publication);
        assert!(names.is_slot_ours && names.is_publication_ours);
        assert!(names.slot.starts_with("rapidbyte_shop____"), "{}", names.slot);
        assert_ne!(names.slot, of("db", "shop / é").slot);
        assert_ne!(names.slot, of("other", "Shop / é").slot);
        assert_eq!(of("db", &"x".repeat(200)).slot.len(), 63);
    }

    #[test]
    fn what_the_config_names_is_taken() {
        let config = NamesConfig { replication_slot: Some("s".into()), publication: Some("p".into()) };
        let expected =
            Names { slot: "s".into(), publication: "p".into(), is_slot_ours: false, is_publication_ours: false };
        assert_eq!(Names::new(&config, "db", "shop"), expected);
    }
}
