//! Is the daemon fit?

use super::{Check, Level};
use crate::bench::Pair;
use crate::bench::image::image_name;
use crate::hint;
use crate::host::reaper::Leftovers;
use crate::process;
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::text::{by_number, plural};

/// The daemon, the subset's images, and leftovers of ours.
pub async fn docker(pairs: &[Pair], needs_client: bool) -> Vec<Check> {
    let connected = match DockerEndpoint::from_environment().and_then(Docker::at) {
        Ok(docker) => docker.version().await.map(|version| (docker, version)),
        Err(error) => Err(error),
    };
    let (docker, version) = match connected {
        Ok(connected) => connected,
        Err(error) => return vec![Check::failed("docker", &error)],
    };
    let mut checks = vec![Check::pass("docker", version)];
    if needs_client && process::on_path("docker").is_none() {
        checks.push(Check::new(
            "docker program",
            Level::Warn,
            "no `docker` on PATH",
            "mini_swe_agent_v2 needs it: install the client (docker.io or docker-cli)",
        ));
    }
    checks.push(images(&docker, pairs, needs_client).await);
    checks.push(match Leftovers::find(Some(&docker), None, &[]).await {
        Ok(found) if found.is_empty() => Check::pass("leftovers", "none"),
        Ok(found) => Check::new(
            "leftovers",
            Level::Warn,
            found.describe().join("; "),
            format!(
                "`{}` removes them; so does the next run",
                hint::command("clean")
            ),
        ),
        Err(error) => Check::failed("leftovers", &error),
    });
    checks
}

async fn images(docker: &Docker, pairs: &[Pair], needs_client: bool) -> Check {
    let mut wanted: Vec<String> = pairs.iter().map(|pair| image_name(&pair.task)).collect();
    wanted.sort();
    wanted.dedup();
    let present = match docker.present_images().await {
        Ok(present) => present,
        Err(error) => return Check::failed("images", &error),
    };
    // Podman names them with their registry.
    let find = |name: &String| {
        let mut tags = present.iter();
        tags.find(|(tag, _)| *tag == name || tag.ends_with(&format!("/{name}")))
            .map(|(_, size)| *size)
    };
    let missing: Vec<&String> = wanted.iter().filter(|name| find(name).is_none()).collect();
    if missing.is_empty() {
        return Check::pass(
            "images",
            match wanted.len() {
                1 => "the one is present".to_owned(),
                n => format!("all {n} are present"),
            },
        );
    }
    let sizes: Vec<u64> = wanted.iter().filter_map(find).collect();
    let disk = if sizes.is_empty() {
        "their size is not known before one is pulled".to_owned()
    } else {
        let mean = sizes.iter().sum::<u64>() as f64 / sizes.len() as f64;
        format!(
            "about {:.1} GB if they are like the {} present (layers they share count once)",
            mean * missing.len() as f64 / 1e9,
            plural(sizes.len(), "image")
        )
    };
    let check = Check::new(
        "images",
        Level::Warn,
        format!(
            "{} of {} {} missing; {disk}",
            missing.len(),
            wanted.len(),
            by_number(missing.len(), "is", "are")
        ),
        if needs_client {
            "pull them first (doctor has the commands): upstream gives a pull 120 s"
        } else {
            "the run pulls each when it is wanted; `docker pull` does so before it"
        },
    );
    let program = ["docker", "podman"];
    let program = program
        .into_iter()
        .find(|it| process::on_path(it).is_some());
    let program = program.unwrap_or("docker");
    let commands = missing.iter().map(|name| format!("{program} pull {name}"));
    Check {
        commands: commands.collect(),
        ..check
    }
}
