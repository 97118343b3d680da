//! Prices and costs. Unknown is not zero.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::provider::{Wire, bare_name, of_model};
use crate::bench::{Cost, Price, Usage};
use crate::store::{AgentRecord, TrialRecord};

pub use crate::bench::cost::Total;

/// Prices by model name: those that ship, and those that the user gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceTable {
    shipped: Arc<BTreeMap<String, Price>>,
    given: Arc<BTreeMap<String, Price>>,
    /// Whether the model's provider itself is asked.
    is_providers_own: bool,
}

/// A price, and how it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// USD per token, and the model's window.
    pub price: Price,
    /// The name that it stands under, where that is not the whole name of the model.
    pub bare: Option<&'a str>,
}

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
        let shipped = priced(include_str!("prices.json")).expect("the embedded prices are tested");
        Self {
            shipped: Arc::new(shipped.collect()),
            ..Self::default()
        }
    }

    /// The same prices for an endpoint that is the provider's own, or is not.
    #[must_use]
    pub fn at(&self, is_providers_own: bool) -> Self {
        Self {
            is_providers_own,
            ..self.clone()
        }
    }

    /// Adds or replaces a price of the user's.
    pub fn insert(&mut self, model: impl Into<String>, price: Price) {
        Arc::make_mut(&mut self.given).insert(model.into(), price);
    }

    /// Adds every model of a litellm price file of the user's that has token prices; others (images,
    /// audio) are passed over.
    pub fn extend_from_litellm(&mut self, json: &str) -> serde_json::Result<usize> {
        let before = self.given.len();
        Arc::make_mut(&mut self.given).extend(priced(json)?);
        Ok(self.given.len() - before)
    }

    /// The price of a model: by its whole name or without the provider's, what the user gave first.
    ///
    /// `openai/` is also how any server of one's own is spoken to, which may serve what it likes
    /// under any name: there the prices that ship say nothing.
    #[must_use]
    pub fn find<'a>(&self, model: &'a str) -> Option<Found<'a>> {
        let in_table = |table: &BTreeMap<String, Price>| {
            let whole = table.get(model).map(|price| (*price, None));
            whole.or_else(|| {
                let bare = bare_name(model)?;
                Some((*table.get(bare)?, Some(bare)))
            })
        };
        let says_whose = of_model(model).is_none_or(|it| it.wire != Some(Wire::OpenAi));
        let shipped = || {
            let counts = says_whose || self.is_providers_own;
            counts.then(|| in_table(&self.shipped)).flatten()
        };
        let (price, bare) = in_table(&self.given).or_else(shipped)?;
        Some(Found { price, bare })
    }

    /// The most tokens that a prompt to a model may have, by its name alone.
    #[must_use]
    pub fn window(&self, model: &str) -> Option<u64> {
        self.at(true).find(model)?.price.max_input_tokens
    }
}

/// The models of a litellm price file that have token prices.
fn priced(json: &str) -> serde_json::Result<impl Iterator<Item = (String, Price)>> {
    let models: BTreeMap<String, serde_json::Value> = serde_json::from_str(json)?;
    let prices = models.into_iter();
    Ok(prices.filter_map(|(model, value)| Some((model, serde_json::from_value(value).ok()?))))
}

/// What a trial cost, and the name that the price was found by where it is not the model's own.
///
/// What a result says is taken where it says something. Zero for an agent that made model calls
/// means that the tool had no price: then its tokens are priced from `prices`, or, where only those
/// of the trial are known, all of these. Of what stays unknown the known part is the cost, marked as
/// a part.
#[must_use]
pub fn cost_of(
    record: &TrialRecord,
    usage: Option<Usage>,
    prices: &PriceTable,
) -> (Cost, Option<String>) {
    let is_partial = record.agents.iter().any(|agent| agent.usage_unknown);
    let part = |usd| Cost {
        usd: Some(usd),
        is_partial,
    };
    if let Some(cost) = record.whole_cost
        && (cost != 0.0 || record.agents.iter().all(used_nothing))
    {
        return (part(cost), None);
    }
    let found = record.model.as_deref().and_then(|model| prices.find(model));
    let of_tokens = |usage: Option<Usage>| found.and_then(|found| found.price.of(usage?));
    let bare = found.and_then(|found| found.bare).map(str::to_owned);
    let costs = record
        .agents
        .iter()
        .map(|agent| said(agent).or_else(|| of_tokens(agent.usage)));
    let costs: Vec<Option<f64>> = costs.collect();
    let sum = costs.iter().flatten().fold(0.0, |sum, cost| sum + cost);
    let mut of_agents = record.agents.iter().zip(&costs);
    let is_priced = of_agents.any(|(agent, cost)| said(agent).is_none() && cost.is_some());
    if costs.iter().all(Option::is_some) {
        // Calls whose usage nobody told, and no other: that is nothing known.
        let nothing = is_partial && sum == 0.0;
        return if nothing {
            (Cost::UNKNOWN, None)
        } else {
            (part(sum), bare.filter(|_| is_priced))
        };
    }
    match of_tokens(usage) {
        Some(usd) => (part(usd), bare),
        None if sum > 0.0 => {
            let cost = Cost {
                usd: Some(sum),
                is_partial: true,
            };
            (cost, bare.filter(|_| is_priced))
        }
        None => (Cost::UNKNOWN, None),
    }
}

/// What a result says that an agent cost; zero is said by one that used nothing only.
fn said(agent: &AgentRecord) -> Option<f64> {
    let cost = agent.cost?;
    (cost > 0.0 || used_nothing(agent)).then_some(cost)
}

/// Whether an agent told that no tokens were used, or where it tells none, called no model.
#[must_use]
pub fn used_nothing(agent: &AgentRecord) -> bool {
    agent
        .usage
        .map_or(agent.steps == Some(0), Usage::is_nothing)
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
            ..Usage::default()
        });
        let record = record(UNPRICED);
        assert_eq!(
            cost_of(&record, usage, &PriceTable::default()).0,
            Cost::UNKNOWN
        );
        assert_eq!(cost_of(&record, None, &table()).0, Cost::UNKNOWN);
        let bare = Some("command-a-03-2025".to_owned());
        assert_eq!(cost_of(&record, usage, &table()), (Cost::whole(3.5), bare));
    }

    #[test]
    fn the_embedded_price_of_command_a_is_that_of_its_page() {
        let used = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        let table = PriceTable::embedded();
        let price = table
            .find("cohere_chat/command-a-03-2025")
            .map(|found| found.price);
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
        assert_eq!(PriceTable::embedded().shipped.len(), models.len());
    }

    #[test]
    fn an_agent_that_never_called_the_model_cost_nothing() {
        let json = r#"{"run_id":"x","agents":{"agent1":{"status":"Error","cost":0,"steps":0},
            "agent2":{"status":"Submitted","cost":0.25,"steps":3}},"total_cost":0.25}"#;
        assert_eq!(
            cost_of(&record(json), None, &PriceTable::default()).0,
            Cost::whole(0.25)
        );
    }

    #[test]
    fn a_file_of_the_users_adds_what_is_new_and_replaces_what_is_there() {
        let mut table = table();
        let json = r#"{"command-a-03-2025": {"input_cost_per_token": 1, "output_cost_per_token": 1},
            "mine": {"input_cost_per_token": 0.5, "output_cost_per_token": 0.25}}"#;
        assert_eq!(table.extend_from_litellm(json).unwrap(), 1);
        let input = |table: &PriceTable, model| {
            table
                .find(model)
                .map(|found| found.price.input_cost_per_token)
        };
        assert_eq!(input(&table, "command-a-03-2025"), Some(1.0));
        assert_eq!(input(&table, "mine"), Some(0.5));
        table.insert("mine", Price::default());
        assert_eq!(input(&table, "mine"), Some(0.0));
    }

    #[test]
    fn what_ships_is_the_price_of_an_openai_model_at_openai_only() {
        let table = PriceTable::embedded();
        let model = "openai/gpt-4o";
        assert_eq!(table.find(model), None);
        assert_eq!(table.at(true).find(model).unwrap().bare, Some("gpt-4o"));
        assert_eq!(table.at(true).at(false).find(model), None);
        // Its window is the model's, wherever it is served.
        assert_eq!(table.window(model), Some(128_000));
        assert_eq!(table.window("openai/nobody"), None);
    }

    /// Costs and steps of two agents, and what else the result says.
    fn of_two(one: &str, two: &str, rest: &str) -> (Cost, Option<String>) {
        let json = format!(
            r#"{{"run_id":"x","model":"openai/command-a-03-2025","agents":{{
                "agent1":{{"status":"Submitted",{one}}},"agent2":{{"status":"Submitted",{two}}}}}{rest}}}"#
        );
        cost_of(&record(&json), None, &table())
    }

    #[test]
    fn what_a_result_says_of_the_whole_counts_where_it_is_more() {
        let (one, two) = (r#""cost":1,"steps":3"#, r#""cost":null,"steps":3"#);
        let whole = of_two(one, two, r#","total_cost":2.5"#);
        assert_eq!(whole, (Cost::whole(2.5), None));
        let known = Cost {
            usd: Some(1.0),
            is_partial: true,
        };
        assert_eq!(of_two(one, two, ""), (known, None));
    }

    #[test]
    fn a_name_is_told_where_a_price_was_looked_up_and_not_where_the_result_says_the_cost() {
        let said = r#""cost":1,"steps":3"#;
        assert_eq!(of_two(said, said, ""), (Cost::whole(2.0), None));
        let told = r#""cost":0,"steps":3,"usage_unknown":false,"input_tokens":1000000,"output_tokens":0,
            "cache_read_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0"#;
        let bare = Some("command-a-03-2025".to_owned());
        assert_eq!(of_two(said, told, ""), (Cost::whole(3.5), bare));
    }

    #[test]
    fn nothing_used_is_zero_and_nothing_told_is_unknown() {
        let nothing = r#""cost":0,"steps":0"#;
        let untold = r#""cost":0,"steps":0,"usage_unknown":true"#;
        assert_eq!(of_two(nothing, nothing, "").0, Cost::whole(0.0));
        assert_eq!(of_two(nothing, untold, "").0, Cost::UNKNOWN);
        let part = Cost {
            usd: Some(1.0),
            is_partial: true,
        };
        assert_eq!(of_two(r#""cost":1,"steps":3"#, untold, "").0, part);
    }

    #[test]
    fn totals_are_summed_in_both_parts() {
        let mut total = Total {
            usd: 1.5,
            unknown: 3,
        };
        total += Total {
            usd: 0.25,
            unknown: 2,
        };
        let sum = Total {
            usd: 1.75,
            unknown: 5,
        };
        assert_eq!(total, sum);
    }
}
