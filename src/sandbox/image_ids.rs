//! What names the images that are there.

use crate::bench::World;

/// The images of a daemon, of a store or of both, by name and tag.
#[derive(Clone, Debug, Default)]
pub struct ImageIds(Vec<(String, World)>);

impl FromIterator<(String, World)> for ImageIds {
    fn from_iter<T: IntoIterator<Item = (String, World)>>(images: T) -> Self {
        Self(images.into_iter().collect())
    }
}

impl ImageIds {
    /// Adds those of another place.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// What names this image, which others may name with its registry. Where two places have it, the
    /// one that it was is taken if one of them has that.
    #[must_use]
    pub fn world(&self, image: &str, was: Option<&World>) -> Option<&World> {
        let ending = format!("/{image}");
        let is_it = |tag: &str| tag == image || tag.ends_with(&ending);
        let found = || self.0.iter().filter(|(tag, _)| is_it(tag));
        let as_it_was = found().find(|(_, world)| Some(world) == was);
        let exact = || found().find(|(tag, _)| tag == image);
        let any = as_it_was.or_else(exact).or_else(|| found().next());
        any.map(|(_, world)| world)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(digest: &str) -> World {
        World::ImageConfig(digest.to_owned())
    }

    #[test]
    fn an_image_is_found_by_its_name_also_behind_a_registry() {
        let aa = config("aa");
        for (tag, is_it) in [
            ("me/loom:task1", true),
            ("docker.io/me/loom:task1", true),
            ("me/loom:task10", false),
            ("notme/loom:task1", false),
        ] {
            let images: ImageIds = [(tag.to_owned(), aa.clone())].into_iter().collect();
            let found = images.world("me/loom:task1", None);
            assert_eq!(found, is_it.then_some(&aa), "{tag}");
        }
    }

    #[test]
    fn of_two_places_the_one_that_has_what_it_was_is_taken() {
        let named = |tag: &str, world: &World| (tag.to_owned(), world.clone());
        let (aa, bb) = (config("aa"), config("bb"));
        let mut images: ImageIds = [named("me/loom:1", &aa)].into_iter().collect();
        images.extend([named("docker.io/me/loom:1", &bb)].into_iter().collect());
        for (was, found) in [(None, &aa), (Some(&bb), &bb), (Some(&config("cc")), &aa)] {
            assert_eq!(images.world("me/loom:1", was), Some(found));
        }
    }
}
