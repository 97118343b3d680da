//! Where a sandbox's repository is.

/// The workspace, as seen from inside of containers and namespaces.
pub(super) const WORKSPACE: &str = "/workspace";

/// Where a sandbox's repository is, and what it held before the agent began.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The directory that it is in, as seen from inside.
    pub home: String,
    /// The repository's own directory, where its scripts run.
    pub dir: String,
    /// A second set of git's own files, which the agent's git never uses: whatever it does to
    /// `.git`, its work can still be compared with the base.
    pub twin: String,
    /// The commit that the agent begins at, and that its diff is against.
    pub base: String,
    /// The tree that the agent found: the base's, unless the image had changes of its own, which
    /// are nobody's work.
    pub found: String,
    /// What goes before every command so that it finds the image's programs.
    pub prefix: String,
}

impl Repo {
    /// The repository of a workspace.
    pub fn at(home: &str) -> Self {
        Self {
            home: home.to_owned(),
            dir: format!("{home}/repo"),
            twin: format!("{home}/.base.git"),
            base: String::new(),
            found: String::new(),
            prefix: String::new(),
        }
    }

    /// A path as seen from the repository.
    pub fn path(&self, path: &str) -> String {
        if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.dir)
        }
    }
}
