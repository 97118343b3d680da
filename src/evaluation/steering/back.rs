//! A file with what steers in it as in the base.

use super::base::Back;
use super::path::Steers;

/// Puts what steers in a file back to the base, where a submission changed it.
#[must_use]
pub fn put_back(how: Steers, base: Option<&[u8]>, work: Option<&[u8]>) -> Back {
    if base == work {
        return Back::Untouched;
    }
    let says = |words: &[&str]| {
        let files = [base, work].map(|file| String::from_utf8_lossy(file.unwrap_or_default()));
        let mut all = words
            .iter()
            .flat_map(|word| files.iter().map(move |file| file.contains(word)));
        all.any(|says| says)
    };
    match how {
        Steers::Whole => Back::to(base),
        Steers::Shim if base.is_none() => Back::Gone,
        Steers::NewSaying(words) if base.is_none() && says(words) => Back::Gone,
        Steers::Saying(words) if says(words) => Back::to(base),
        Steers::Shim | Steers::Saying(_) | Steers::NewSaying(_) => Back::Untouched,
        Steers::Parts(format) => format.put_back(base, work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::steering::path::TEST_MAIN;

    #[test]
    fn what_is_put_back_is_the_bases() {
        let put = |how, base: Option<&str>, work: Option<&str>| {
            put_back(how, base.map(str::as_bytes), work.map(str::as_bytes))
        };
        assert_eq!(put(Steers::Whole, Some("a"), Some("a")), Back::Untouched);
        assert_eq!(
            put(Steers::Whole, Some("a"), None),
            Back::File(b"a".to_vec())
        );
        assert_eq!(put(Steers::Whole, None, Some("a")), Back::Gone);
        assert_eq!(put(Steers::Shim, Some("a"), Some("b")), Back::Untouched);
        assert_eq!(put(Steers::Shim, None, Some("b")), Back::Gone);
        let main = Steers::Saying(TEST_MAIN);
        assert_eq!(
            put(main, None, Some("func TestA(t *testing.T) {}")),
            Back::Untouched
        );
        assert_eq!(
            put(main, None, Some("func TestMain(m *testing.M) {}")),
            Back::Gone
        );
    }
    #[test]
    fn a_new_file_goes_only_where_it_says_what_steers() {
        let put = |base: Option<&str>, work: &str| {
            let base = base.map(str::as_bytes);
            put_back(
                Steers::NewSaying(&["test.run"]),
                base,
                Some(work.as_bytes()),
            )
        };
        assert_eq!(put(None, "flag.Set(\"test.run\", \"A\")"), Back::Gone);
        assert_eq!(put(None, "package quay"), Back::Untouched);
        assert_eq!(put(Some("package quay"), "// test.run"), Back::Untouched);
    }
    #[test]
    fn every_script_of_a_package_that_starts_tests_goes_back() {
        use crate::evaluation::steering::sections::FileFormat;

        let back = |script: &str| {
            let file = |command: &str| format!(r#"{{"scripts":{{"{script}":"{command}"}}}}"#);
            let (base, work) = (file("jest"), file("true"));
            let how = Steers::Parts(FileFormat::PackageJson);
            put_back(how, Some(base.as_bytes()), Some(work.as_bytes()))
        };
        for script in ["test", "tests", "test:unit", "pretest", "posttest:unit"] {
            let Back::File(bytes) = back(script) else {
                panic!("{script}: {:?}", back(script));
            };
            assert!(bytes.windows(4).any(|part| part == b"jest"), "{script}");
        }
        for script in ["build", "latest", "testify"] {
            assert_eq!(back(script), Back::Untouched, "{script}");
        }
    }
}
