//! Prices and costs. Unknown is not zero.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bench::{Price, Usage};
use crate::store::{AgentRecord, TrialRecord};

/// Prices by model name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceTable(BTreeMap<String, Price>);

impl PriceTable {
    /// The prices that ship, of some common chat models.
    ///
    /// Source: `model_prices_and_context_window.json` as litellm 1.106.2 ships it, read on
    /// 2026-11-23; Mistral's models without their prefix, so that any prefix finds them.
    ///
    /// # Panics
    ///
    /// When the embedded file is broken, which a test rules out.
    #[must_use]
    pub fn embedded() -> Self {
        let mut table = Self::default();
        table
            .extend_from_litellm(include_str!("prices.json"))
            .expect("the embedded prices are tested");
        table
    }

    /// Adds or replaces a price.
    pub fn insert(&mut self, model: impl Into<String>, price: Price) {
        self.0.insert(model.into(), price);
    }

    /// Adds every model of a litellm price file that has token prices; others (images, audio) are
    /// passed over.
    pub fn extend_from_litellm(&mut self, json: &str) -> serde_json::Result<usize> {
        let models: BTreeMap<String, serde_json::Value> = serde_json::from_str(json)?;
        let before = self.0.len();
        for (model, value) in models {
            if let Ok(price) = serde_json::from_value(value) {
                self.insert(model, price);
            }
        }
        Ok(self.0.len() - before)
    }

    /// The price of a model by its full name, or by its name without the provider.
    #[must_use]
    pub fn get(&self, model: &str) -> Option<Price> {
        let bare = model.split_once('/').map(|(_, bare)| bare);
        self.0.get(model).or_else(|| self.0.get(bare?)).copied()
    }
}

/// The cost of a trial in USD; `None` when it is not known.
///
/// What a result says is taken where it says something. Zero for an agent that made model calls
/// means that the tool had no price: then the tokens are priced from `prices`, or the cost is
/// unknown.
#[must_use]
pub fn cost_of(record: &TrialRecord, usage: Option<Usage>, prices: &PriceTable) -> Option<f64> {
    if record.agents.iter().any(|agent| agent.usage_unknown) {
        return None;
    }
    let from_tokens = || prices.get(record.model.as_deref()?)?.of(usage?);
    if let Some(cost) = record.whole_cost {
        return if cost == 0.0 && record.steps() > 0 {
            from_tokens()
        } else {
            Some(cost)
        };
    }
    let known = |agent: &AgentRecord| match (agent.cost, agent.steps) {
        (Some(cost), _) if cost > 0.0 => Some(cost),
        (Some(_), Some(0)) => Some(0.0),
        _ => None,
    };
    let costs: Option<Vec<f64>> = record.agents.iter().map(known).collect();
    costs
        .map(|costs| costs.iter().fold(0.0, |sum, cost| sum + cost))
        .or_else(from_tokens)
}

/// A sum of costs, some of which may be unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Total {
    /// The sum of the known ones, in USD.
    pub usd: f64,
    /// How many are unknown and not in the sum.
    pub unknown: usize,
}

impl Total {
    /// Adds one cost.
    pub fn add(&mut self, cost: Option<f64>) {
        match cost {
            Some(usd) => self.usd += usd,
            None => self.unknown += 1,
        }
    }
}

impl std::ops::AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.usd += other.usd;
        self.unknown += other.unknown;
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match (self.usd, self.unknown) {
            (usd, 0) => dollars(usd),
            (0.0, _) => "unknown".to_owned(),
            (usd, n) => format!("{} + {n} unknown", dollars(usd)),
        };
        f.pad(&text)
    }
}

/// An amount for people: cents, or finer below ten cents.
#[must_use]
pub fn dollars(usd: f64) -> String {
    if usd > 0.0 && usd < 0.1 {
        format!("${usd:.4}")
    } else {
        format!("${usd:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> TrialRecord {
        TrialRecord::parse(json.as_bytes()).unwrap()
    }

    fn table() -> PriceTable {
        let mut table = PriceTable::default();
        let json = r#"{"sample_spec": {"mode": "x"}, "command-a-03-2025":
            {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat"}}"#;
        assert_eq!(table.extend_from_litellm(json).unwrap(), 1);
        table
    }

    const UNPRICED: &str = r#"{"run_id":"x","model":"openai/command-a-03-2025",
        "agent":{"status":"Submitted","cost":0.0,"steps":7}}"#;

    #[test]
    fn zero_cost_with_steps_is_unknown_until_a_price_is_given() {
        let usage = Some(Usage {
            input_tokens: 1_000_000,
            output_tokens: 100_000,
            cached_tokens: 0,
        });
        let record = record(UNPRICED);
        assert_eq!(cost_of(&record, usage, &PriceTable::default()), None);
        assert_eq!(cost_of(&record, None, &table()), None);
        assert_eq!(cost_of(&record, usage, &table()), Some(3.5));
    }

    #[test]
    fn the_embedded_price_of_command_a_is_that_of_its_page() {
        let used = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            cached_tokens: 0,
        };
        let price = PriceTable::embedded().get("cohere_chat/command-a-03-2025");
        let of = |usage| price.and_then(|price| price.of(usage));
        assert_eq!(of(used(1_000_000, 0)), Some(2.5));
        assert_eq!(of(used(0, 1_000_000)), Some(10.0));
        assert_eq!(
            price.and_then(|price| price.max_input_tokens),
            Some(256_000)
        );
    }

    #[test]
    fn every_embedded_price_is_read() {
        let json = include_str!("prices.json");
        let models: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        assert_eq!(PriceTable::embedded().0.len(), models.len());
    }

    #[test]
    fn an_agent_that_never_called_the_model_cost_nothing() {
        let json = r#"{"run_id":"x","agents":{"agent1":{"status":"Error","cost":0,"steps":0},
            "agent2":{"status":"Submitted","cost":0.25,"steps":3}},"total_cost":0.25}"#;
        assert_eq!(
            cost_of(&record(json), None, &PriceTable::default()),
            Some(0.25)
        );
    }

    #[test]
    fn totals_show_what_they_do_not_know() {
        let mut total = Total::default();
        total.add(Some(1.25));
        assert_eq!(total.to_string(), "$1.25");
        total.add(None);
        assert_eq!(total.to_string(), "$1.25 + 1 unknown");
    }
}
