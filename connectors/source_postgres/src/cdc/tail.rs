//! Reading on without an end, `cdc.mode: tail`: when to hand on what there is, so that it is committed soon; when to
//! confirm what is committed; and when to stop, which is between two transactions.

use std::time::{Duration, Instant};

use pgwire::replication::status_update;
use pgwire::{Connection, Lsn};
use sdk::{Result, RunRequest, Socket};
use serde::Deserialize;

use super::outbox::Outbox;
use super::place::Place;
use super::server;
use super::watch::Watch;

const LOOK: Duration = Duration::from_millis(100);
const TELL: Duration = Duration::from_secs(1);
/// Where nothing changed but the position, it is committed so much less often: each commit is itself something new in
/// the log, where both sides are one server.
const IDLE_FACTOR: u32 = 10;

/// Where reading ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Where the log ended when the run began.
    #[default]
    Catchup,
    /// Nowhere, until the run is asked to stop.
    Tail,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct ReadingConfig {
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// How far reading is between two transactions.
pub(crate) struct Standing<'a> {
    pub(crate) place: &'a Place,
    /// The last change of a stream was before it.
    pub(crate) changed: Lsn,
    /// The destination has committed what was before it, as far as this run has seen.
    pub(crate) durable: Lsn,
}

/// The clock of a reader that has no end.
pub(crate) struct Tail<'a> {
    watch: Watch<'a>,
    start: Lsn,
    /// Twice in the time after which a destination commits: it looks at its clock only when something comes.
    emit: Duration,
    looked_at: Instant,
    emitted_at: Instant,
    told_at: Instant,
}

impl<'a> Tail<'a> {
    pub(crate) fn begin(watch: Watch<'a>, request: &RunRequest, start: Lsn) -> Tail<'a> {
        let now = Instant::now();
        let emit = Duration::from_secs(request.checkpoint.seconds.max(1)) / 2;
        Tail { watch, start, emit, looked_at: now, emitted_at: now, told_at: now }
    }

    /// Whether it is worth a look.
    pub(crate) fn is_time(&self) -> bool {
        self.looked_at.elapsed() >= LOOK
    }

    /// Do what is due; whether to read on. `reader` is asked how far the log goes meanwhile.
    pub(crate) fn proceed(
        &mut self,
        reader: &mut Connection<Socket>,
        replication: &mut Connection<Socket>,
        outbox: &mut Outbox,
        standing: Standing<'_>,
    ) -> Result<bool> {
        self.looked_at = Instant::now();
        if sdk::stop_requested()? {
            return Ok(false);
        }
        let Standing { place, changed, durable } = standing;
        if let Some(wait) = wait_before_emitting(self.emit, place.lsn.unwrap_or_default(), changed, durable)
            && self.emitted_at.elapsed() >= wait
        {
            outbox.emit_up_to(place)?;
            self.emitted_at = Instant::now();
        }
        if self.told_at.elapsed() >= TELL {
            self.watch.verify(reader, place)?;
            replication.send_replicated(&status_update(durable, true))?;
            let end = server::flushed(reader)?;
            sdk::report_lag(end.0.saturating_sub(durable.max(self.start).0))?;
            self.told_at = Instant::now();
        }
        Ok(true)
    }
}

/// How long after the last time, if there is anything that is not durable yet.
fn wait_before_emitting(emit: Duration, read: Lsn, changed: Lsn, durable: Lsn) -> Option<Duration> {
    (read > durable).then(|| if changed > durable { emit } else { emit * IDLE_FACTOR })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pgwire::Lsn;

    use super::{Mode, ReadingConfig, wait_before_emitting};

    #[test]
    fn changes_are_handed_on_soon_and_a_position_alone_later() {
        let emit = Duration::from_secs(1);
        let wait = |read, changed, durable| wait_before_emitting(emit, Lsn(read), Lsn(changed), Lsn(durable));
        assert_eq!(wait(9, 8, 7), Some(emit));
        assert_eq!(wait(9, 8, 8), Some(emit * 10));
        assert_eq!(wait(9, 8, 9), None);
    }

    #[test]
    fn a_config_without_a_mode_has_an_end() {
        let mode = |text| serde_json::from_str::<ReadingConfig>(text).map(|config| config.mode).ok();
        assert_eq!((mode("{}"), mode(r#"{"mode": "tail"}"#)), (Some(Mode::Catchup), Some(Mode::Tail)));
        assert_eq!(mode(r#"{"mode": "never"}"#), None);
    }
}
