//! The tries of one call: again what may pass, at the endpoint's pace.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::{Client, Exchange};
use crate::bench::RuleId;
use crate::bench::Usage;
use crate::model::chat::{ChatError, Message};
use crate::model::endpoint::CallFailure;
use crate::model::pace::RETRY_AFTER_MAX;

impl Client {
    /// Sends a request until a chat response comes or trying again makes no sense. `discarded`:
    /// whether earlier tries of the same call may be billed, with tokens that are not known.
    pub(super) async fn exchange(
        &self,
        request: &Value,
        messages: &[Message],
        mut discarded: bool,
    ) -> Result<Exchange, ChatError> {
        let mut rate_limited = Duration::ZERO;
        let mut tried = 0;
        self.under_way().waits(None);
        loop {
            let (permit, waited) = self.pace.enter().await;
            self.under_way().goes_out();
            rate_limited += waited;
            tried += 1;
            let (failure, usage) = match self.attempt(request).await {
                Ok(response) => {
                    self.was_answered.store(true, Ordering::Relaxed);
                    permit.succeeded();
                    return Ok(Exchange {
                        response,
                        rate_limited,
                        discarded,
                    });
                }
                Err((failure, usage)) if self.was_answered.load(Ordering::Relaxed) => {
                    (failure.after_answers(), usage)
                }
                Err(failed) => failed,
            };
            discarded |= failure.may_be_billed() && usage.is_none();
            self.under_way().wastes(usage);
            let pause = if let CallFailure::Status {
                retry_after, rule, ..
            } = &failure
                && *rule == RuleId::RATE_LIMIT
            {
                permit.rate_limited(*retry_after);
                // The pace holds this call back with all the others.
                Duration::ZERO
            } else {
                permit.held();
                self.pause(tried, &failure)
            };
            let may_pass =
                failure.may_pass() || failure.may_pass_later() && self.pace.was_answered();
            // It would be refused for its extras every time.
            let names_extras = matches!(&failure, CallFailure::Status { refusing, .. }
                if !self.refused(refusing, messages).is_empty());
            let is_last = tried >= failure.tries(self.tries) || !may_pass || names_extras;
            let asks_for_a_pause = failure.asks_for_a_pause();
            let most = failure.tries(self.tries);
            // The pace tells of rate limits where it can lower its own.
            let is_told_by_pace = failure.rule() == RuleId::RATE_LIMIT && self.pace.can_slow_down();
            let error = self.error(failure, tried, discarded);
            if is_last {
                return Err(error);
            }
            if !is_told_by_pace {
                self.retries.tell(&error, most);
            }
            self.under_way().waits(Some(error));
            rate_limited += self.wait(pause, asks_for_a_pause).await;
        }
    }

    /// Waits before the next try; gives how much of it was lost to the endpoint, beside what its
    /// pace tells.
    async fn wait(&self, pause: Duration, is_lost: bool) -> Duration {
        if is_lost {
            let slowed = self.pace.slowed();
            self.under_way().pauses(slowed);
        }
        tokio::time::sleep(pause).await;
        let slowed = self.pace.slowed();
        self.under_way().goes_on(slowed)
    }

    /// One try; where it fails, also the tokens that it tells all the same.
    async fn attempt(&self, request: &Value) -> Result<Value, (CallFailure, Option<Usage>)> {
        let response = self.endpoint.post(request).await;
        let (response, asks_for) = response.map_err(|failure| (failure, None))?;
        match self.read(&response, asks_for) {
            Ok(_) => Ok(response),
            Err(failure) => Err((failure, self.wire.usage(&response))),
        }
    }

    /// The wait after a failed try, counted from 1; at least what the endpoint asks for.
    fn pause(&self, tried: u32, failure: &CallFailure) -> Duration {
        let doubled = self
            .backoff
            .saturating_mul(2_u32.saturating_pow(tried - 1))
            .min(self.backoff_max);
        let asked = match failure {
            CallFailure::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        doubled
            .mul_f64(fastrand::f64())
            .max(asked.min(RETRY_AFTER_MAX))
    }
}
