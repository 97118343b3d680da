//! What runs now, a line each. Pure.

use std::time::{Duration, Instant};

use crate::bench::cost::dollars;
use crate::bench::image::image_name;
use crate::bench::{Pair, TaskKey};
use crate::store::Event;
use crate::store::live::{AnswersSoFar, LiveWorker, LiveWorkers};
use crate::text::{duration, fit};

/// The most lines that are shown.
const MOST: usize = 8;

/// What began and has not ended.
#[derive(Debug, Default)]
pub struct Running {
    /// In front of each line, e.g. the setting.
    prefix: String,
    begun: Vec<Begun>,
    /// The pairs of the attempt that have no result yet.
    open: Vec<Pair>,
    /// How many containers a trial has.
    agents: usize,
    /// Whether the engine says which pairs begin. If not, only containers are seen.
    is_told: bool,
    /// The workers that run them, if they run on other machines.
    workers: LiveWorkers,
}

#[derive(Debug)]
struct Begun {
    what: What,
    at: Instant,
    /// What its agents had of the model.
    answers: AnswersSoFar,
    containers: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Pair(Pair),
    /// One of the task's pairs.
    Task(TaskKey),
}

impl What {
    fn is(&self, pair: &Pair) -> bool {
        match self {
            Self::Pair(one) => one == pair,
            Self::Task(task) => *task == pair.task,
        }
    }
}

impl Running {
    /// Of a run nothing runs yet. Each line begins with its setting; a trial has so many agents.
    #[must_use]
    pub fn of_run(prefix: String, agents: usize) -> Self {
        Self {
            prefix,
            agents: agents.max(1),
            ..Self::default()
        }
    }

    /// Takes in an event, at the time when it came.
    pub fn take_in(&mut self, event: &Event, now: Instant) {
        self.workers.take_in(event);
        match event {
            Event::AttemptStarted { pairs, .. } => {
                self.begun.clear();
                self.open.clone_from(pairs);
            }
            Event::AttemptEnded { .. } => self.begun.clear(),
            Event::TrialStarted { pair } => {
                self.is_told = true;
                self.begin(pair, now);
            }
            Event::Spent {
                pair,
                agent,
                spending,
                ..
            } => {
                let is_it = |one: &&mut Begun| one.what == What::Pair(pair.clone());
                if let Some(begun) = self.begun.iter_mut().find(is_it) {
                    begun.answers.heard(agent, *spending);
                }
            }
            Event::ContainerCreated { image, .. } if !self.is_told => self.container(image, now),
            Event::TrialEnded { pair, .. } | Event::TrialCutOff { pair, .. } => self.end(pair),
            _ => {}
        }
    }

    /// A pair begins.
    pub fn begin(&mut self, pair: &Pair, now: Instant) {
        // One that is taken over is told of twice.
        self.begun
            .retain(|one| one.what != What::Pair(pair.clone()));
        self.begun.push(Begun::new(What::Pair(pair.clone()), now));
    }

    /// A pair ends.
    pub fn end(&mut self, pair: &Pair) {
        self.open.retain(|one| one != pair);
        if let Some(at) = self.begun.iter().position(|one| one.what.is(pair)) {
            self.begun.remove(at);
        }
    }

    /// A container begins a trial of its task, or belongs to one that lacks it.
    fn container(&mut self, image: &str, now: Instant) {
        let of_image = |pair: &&Pair| image.ends_with(&image_name(&pair.task));
        let Some(task) = self
            .open
            .iter()
            .find(of_image)
            .map(|pair| pair.task.clone())
        else {
            return;
        };
        let what = What::Task(task);
        let lacks = |one: &&mut Begun| one.what == what && one.containers < self.agents;
        if let Some(begun) = self.begun.iter_mut().find(lacks) {
            begun.containers += 1;
            return;
        }
        let count = self.begun.iter().filter(|one| one.what == what).count();
        // More than its pairs are others made in the place of some.
        if count < self.open.iter().filter(|pair| what.is(pair)).count() {
            self.begun.push(Begun {
                containers: 1,
                ..Begun::new(what, now)
            });
        }
    }

    /// How many run.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.begun.len()
    }

    /// What is known of what the running ones spent, in USD.
    #[must_use]
    pub fn cost(&self) -> f64 {
        // The sum of no amounts at all would be -0.
        let costs = self.begun.iter().filter_map(Begun::cost);
        costs.fold(0.0, |sum, cost| sum + cost)
    }

    /// How long the longest runs by now.
    #[must_use]
    pub fn longest(&self, now: Instant) -> Option<Duration> {
        let times = self
            .begun
            .iter()
            .map(|one| now.saturating_duration_since(one.at));
        times.max()
    }

    /// A line for each, of at most `width` columns and in at most `rows` lines: what there is no room
    /// for is counted in the last one.
    #[must_use]
    pub fn lines(&self, width: usize, rows: usize, now: Instant) -> Vec<String> {
        let workers = self.workers.in_words().filter(|_| rows > 0);
        let mut lines: Vec<String> = workers.into_iter().collect();
        for line in &mut lines {
            *line = fit::cut(&format!("  {line}"), width);
        }
        let most = (rows - lines.len()).min(MOST);
        let shown = if self.begun.len() > most {
            most.saturating_sub(1)
        } else {
            self.begun.len()
        };
        let cells: Vec<[String; 5]> = self.begun[..shown]
            .iter()
            .map(|one| {
                let took = now.saturating_duration_since(one.at);
                [
                    self.name(&one.what),
                    self.node(&one.what),
                    one.answers.steps().unwrap_or_default(),
                    one.cost().map(dollars).unwrap_or_default(),
                    duration(took.as_secs_f64()),
                ]
            })
            .collect();
        lines.extend(table(&self.prefix, &cells, width));
        if shown < self.begun.len() && most > 0 {
            lines.push(fit::cut(
                &format!("  and {} more", self.begun.len() - shown),
                width,
            ));
        }
        lines
    }

    /// The node whose worker runs a pair; nothing where it runs here.
    fn node(&self, what: &What) -> String {
        let worker = match what {
            What::Pair(pair) => self.workers.of(pair),
            What::Task(_) => None,
        };
        worker.map(LiveWorker::shown_node).unwrap_or_default()
    }

    /// A pair's name. Where only its task is known, the task's.
    fn name(&self, what: &What) -> String {
        let task = match what {
            What::Pair(pair) => return pair.to_string(),
            What::Task(task) => task,
        };
        let mut of_it = self.open.iter().filter(|pair| pair.task == *task);
        match (of_it.next(), of_it.next()) {
            (Some(pair), None) => pair.to_string(),
            _ => task.to_string(),
        }
    }
}

impl Begun {
    fn new(what: What, at: Instant) -> Self {
        Self {
            what,
            at,
            answers: AnswersSoFar::default(),
            containers: 0,
        }
    }

    fn cost(&self) -> Option<f64> {
        self.answers.spent()?.cost
    }
}

/// Rows whose cells stand below each other; the last two at the right. Where they are too wide, the
/// first cell loses its middle, and then cells go from the end.
fn table(prefix: &str, cells: &[[String; 5]], width: usize) -> Vec<String> {
    let widest = |column: usize| {
        let widths = cells.iter().map(|row| fit::width(&row[column]));
        widths.max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3, 4].map(widest);
    let head = if prefix.is_empty() {
        "  ".to_owned()
    } else {
        format!("  {prefix}  ")
    };
    let others: usize = widths[1..]
        .iter()
        .filter(|it| **it > 0)
        .map(|it| it + 2)
        .sum();
    let room = width.saturating_sub(fit::width(&head) + others);
    let name = widths[0].min(room.max(8));
    let row = |row: &[String; 5]| {
        let mut line = format!(
            "{head}{}",
            pad(&fit::without_middle(&row[0], name), name, false)
        );
        for column in 1..5 {
            if widths[column] > 0 {
                line.push_str("  ");
                line.push_str(&pad(&row[column], widths[column], column > 2));
            }
        }
        fit::cut(line.trim_end(), width)
    };
    cells.iter().map(row).collect()
}

fn pad(text: &str, width: usize, at_right: bool) -> String {
    let spaces = " ".repeat(width.saturating_sub(fit::width(text)));
    if at_right {
        spaces + text
    } else {
        text.to_owned() + &spaces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Spending;

    fn pair(task: u64, feature: u64) -> Pair {
        Pair::new(TaskKey::new("gull_task", task), 1, feature)
    }

    fn spent(pair: &Pair, agent: &str, cost: Option<f64>) -> Event {
        Event::Spent {
            pair: pair.clone(),
            trial: "t".to_owned(),
            agent: agent.to_owned(),
            spending: Spending {
                cost,
                ..Spending::default()
            },
            ended: false,
        }
    }

    fn created(task: u64) -> Event {
        Event::ContainerCreated {
            container: "c".to_owned(),
            image: image_name(&TaskKey::new("gull_task", task)),
            name: None,
        }
    }

    fn attempt(pairs: Vec<Pair>) -> Event {
        Event::AttemptStarted {
            attempt: 1,
            nth: 1,
            of: 1,
            completed: 0,
            remaining: pairs.len(),
            pairs,
            log: String::new(),
        }
    }

    #[test]
    fn steps_costs_and_times_stand_below_each_other_and_the_unknown_is_not_0() {
        let begun = Instant::now();
        let later = begun + Duration::from_secs(75);
        let mut running = Running::of_run("coop-comm".to_owned(), 2);
        let pairs = [pair(7, 2), pair(12, 3), pair(13, 3)];
        for pair in &pairs {
            running.take_in(&Event::TrialStarted { pair: pair.clone() }, begun);
        }
        for agent in ["agent1", "agent2", "agent1"] {
            running.take_in(&spent(&pairs[0], agent, Some(0.25)), later);
        }
        running.take_in(&spent(&pairs[1], "agent1", None), later);
        let lines = running.lines(80, 20, later);
        assert_eq!(
            lines,
            [
                "  coop-comm  gull_task/7/f1_f2   step 2+1  $0.50  1m 15s",
                "  coop-comm  gull_task/12/f1_f3  step 1           1m 15s",
                "  coop-comm  gull_task/13/f1_f3                   1m 15s",
            ]
        );
        let lines = running.lines(50, 20, later);
        assert_eq!(
            lines[0],
            "  coop-comm  gul…/7/f1_f2  step 2+1  $0.50  1m 15s"
        );
        running.end(&pairs[0]);
        assert_eq!(
            (running.count(), format!("{:.2}", running.cost())),
            (2, "0.00".to_owned())
        );
    }

    #[test]
    fn trials_of_workers_stand_with_their_nodes() {
        let now = Instant::now();
        let mut running = Running::of_run("solo".to_owned(), 1);
        for (worker, node) in [("a", "n1"), ("b", "node12"), ("c", "n1")] {
            let (worker, node) = (worker.to_owned(), node.to_owned());
            let (job, at_once) = (None, 1);
            running.take_in(
                &Event::WorkerStarted {
                    worker,
                    node,
                    job,
                    at_once,
                },
                now,
            );
        }
        for (pair, worker) in [(pair(7, 2), "a"), (pair(12, 3), "b"), (pair(7, 2), "b")] {
            running.take_in(&Event::TrialStarted { pair: pair.clone() }, now);
            let worker = worker.to_owned();
            running.take_in(&Event::TrialPlaced { pair, worker }, now);
        }
        running.take_in(&spent(&pair(7, 2), "solo", Some(0.25)), now);
        let lines = running.lines(80, 9, now);
        assert_eq!(
            lines,
            [
                "  3 workers on n1 (2), node12 (1): 2 trials",
                "  solo  gull_task/12/f1_f3  node12                 0s",
                "  solo  gull_task/7/f1_f2   node12  step 1  $0.25  0s",
            ]
        );
        for rows in 0..4 {
            assert_eq!(running.lines(80, rows, now).len(), rows.min(3));
        }
    }

    #[test]
    fn there_are_as_many_lines_as_there_is_room_for() {
        let now = Instant::now();
        let mut running = Running::default();
        for n in 0..20 {
            running.begin(&pair(n, 2), now);
        }
        let lines = running.lines(80, 100, now);
        assert_eq!((lines.len(), lines[7].as_str()), (8, "  and 13 more"));
        for rows in 0..9 {
            for width in 0..40 {
                let lines = running.lines(width, rows, now);
                assert!(lines.len() <= rows);
                assert!(
                    lines.iter().all(|line| fit::width(line) <= width),
                    "{lines:?}"
                );
            }
        }
    }

    #[test]
    fn of_an_engine_that_names_no_pair_containers_tell_what_runs() {
        let now = Instant::now();
        let mut running = Running::of_run(String::new(), 2);
        running.take_in(&attempt(vec![pair(7, 2), pair(8, 2), pair(8, 3)]), now);
        for task in [7, 8, 8, 7, 8, 8, 8, 9] {
            running.take_in(&created(task), now);
        }
        let lines = running.lines(80, 9, now);
        assert_eq!(
            lines,
            [
                "  gull_task/7/f1_f2  0s",
                "  gull_task/8        0s",
                "  gull_task/8        0s"
            ]
        );
        running.end(&pair(8, 2));
        let lines = running.lines(80, 9, now);
        assert_eq!(lines[1..], ["  gull_task/8/f1_f3  0s"]);
    }
}
