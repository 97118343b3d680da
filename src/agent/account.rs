//! What an agent has spent.

use crate::bench::{Spending, Usage};
use crate::model::chat::Reply;

/// What is known of all calls of an agent so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// The cost in USD of the calls whose cost is known.
    cost: f64,
    /// Whether there were calls whose cost is not known.
    has_unknown_cost: bool,
    usage: Usage,
    /// Whether there were calls whose usage is not known.
    has_unknown_usage: bool,
}

impl Account {
    /// Books a reply, with earlier tries of its call that may have been billed.
    pub fn book(&mut self, reply: &Reply) {
        self.has_unknown_usage |= reply.discarded || reply.usage.is_none();
        self.pay(reply.cost);
        self.usage += reply.usage.unwrap_or_default();
    }

    /// Books a generation that was no reply and told its tokens.
    pub fn waste(&mut self, usage: Usage, cost: Option<f64>) {
        self.pay(cost);
        self.usage += usage;
    }

    /// There was a call whose tokens are not known, if it may be billed.
    pub const fn unknown_if(&mut self, may_be_billed: bool) {
        self.has_unknown_usage |= may_be_billed;
    }

    fn pay(&mut self, cost: Option<f64>) {
        match cost {
            Some(cost) => self.cost += cost,
            None => self.has_unknown_cost = true,
        }
    }

    /// Whether so many USD are spent.
    pub fn has_spent(&self, limit: f64) -> bool {
        self.cost >= limit
    }

    /// All that is booked so far. The cost is `None` if a call's cost is unknown and the known ones
    /// come to 0 USD.
    pub fn total(&self) -> Spending {
        Spending {
            // Without a price nothing is known, not that it is nothing.
            cost: (self.cost > 0.0 || !self.has_unknown_cost).then_some(self.cost),
            usage: self.usage,
            usage_unknown: self.has_unknown_usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::calls::unread;

    fn tokens(input_tokens: u64) -> Usage {
        Usage {
            input_tokens,
            ..Usage::default()
        }
    }

    fn reply(cost: Option<f64>, usage: Option<Usage>) -> Reply {
        Reply {
            usage,
            cost,
            ..unread()
        }
    }

    #[test]
    fn nothing_is_spent_before_the_first_call_and_nothing_known_without_a_price() {
        let mut account = Account::default();
        assert_eq!(account.total().cost, Some(0.0));
        account.book(&reply(None, Some(tokens(10))));
        assert_eq!(account.total().cost, None);
        // What is known is a part of it.
        account.book(&reply(Some(0.5), Some(tokens(5))));
        let total = account.total();
        assert_eq!((total.cost, total.usage), (Some(0.5), tokens(15)));
        assert!(!total.usage_unknown);
    }

    #[test]
    fn what_was_generated_in_vain_is_paid_as_well() {
        let mut account = Account::default();
        account.waste(tokens(7), Some(0.25));
        account.book(&reply(Some(0.5), Some(tokens(1))));
        let total = account.total();
        assert_eq!((total.cost, total.usage), (Some(0.75), tokens(8)));
    }

    #[test]
    fn usage_that_was_not_told_stays_unknown() {
        let books: [fn(&mut Account); 3] = [
            |account| account.book(&reply(Some(0.5), None)),
            |account| {
                account.book(&Reply {
                    discarded: true,
                    ..reply(Some(0.5), Some(tokens(1)))
                });
            },
            |account| account.unknown_if(true),
        ];
        for book in books {
            let mut account = Account::default();
            account.unknown_if(false);
            assert!(!account.total().usage_unknown);
            book(&mut account);
            account.book(&reply(Some(0.5), Some(tokens(1))));
            assert!(account.total().usage_unknown);
        }
    }

    #[test]
    fn a_limit_is_reached_where_so_much_is_spent() {
        let mut account = Account::default();
        account.book(&reply(Some(0.5), None));
        assert!(account.has_spent(0.5));
        assert!(!account.has_spent(0.75));
    }
}
