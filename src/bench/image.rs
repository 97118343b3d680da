//! Names of the task images.

use super::TaskKey;

/// Where upstream publishes its task images (`get_image_name` in cooperbench/utils.py).
const PREFIX: &str = "akhatua/cooperbench";

/// The image of a task, by upstream's rule: `_task` removed, underscores to dashes.
///
/// `samuelcolvin_dirty_equals_task`, 43 gives
/// `akhatua/cooperbench-samuelcolvin-dirty-equals:task43`.
#[must_use]
pub fn image_name(task: &TaskKey) -> String {
    let repo = task.repo.replace("_task", "").replace('_', "-");
    format!("{PREFIX}-{repo}:task{}", task.task_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_upstreams() {
        assert_eq!(
            image_name(&TaskKey::new("samuelcolvin_dirty_equals_task", 43)),
            "akhatua/cooperbench-samuelcolvin-dirty-equals:task43"
        );
    }
}
