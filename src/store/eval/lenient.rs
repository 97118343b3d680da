//! Fields of an `eval.json` in shapes of other programs and hands: one that only helps to tell of a
//! verdict is not there where it is not understood, and of none is the verdict unreadable.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::decided::Conflict;
use crate::store::result::error_text;

/// What is understood; of another shape it is not known, like a [`text`] that is none.
pub fn understood<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(T::deserialize(Value::deserialize(from)?).ok())
}

/// Where git could not merge; of another shape it is not known.
pub fn conflict(told: &Value) -> Option<Conflict> {
    Conflict::deserialize(told).ok()
}

/// A whole number; of another shape it is not known, like a [`text`] that is none.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(from)?.as_i64())
}

/// A text; what is none is nobody's reason to call the file unreadable.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_str().map(str::to_owned))
}

/// The file with the fields that are read in the shapes of upstream's. Of a file whose shape is
/// another only: with the suites' outputs it may be large.
pub fn shaped(mut file: Value) -> Value {
    let Some(fields) = file.as_object_mut() else {
        return file;
    };
    put_answer(fields, "both_passed");
    for name in ["feature1", "feature2"] {
        let Some(feature) = fields.get_mut(name) else {
            continue;
        };
        if let Value::Object(told) = feature {
            put_answer(told, "passed");
        } else if !feature.is_null() {
            *feature = json!({"passed": answer(feature)});
        }
    }
    if let Some(merge) = fields.get_mut("merge") {
        let status = merge.get("status").unwrap_or(merge).as_str();
        *merge = status.map_or(Value::Null, |status| json!({"status": status}));
    }
    if let Some(error) = fields.get_mut("error") {
        *error = error_text(error).into();
    }
    file
}

fn put_answer(fields: &mut Map<String, Value>, name: &str) {
    if let Some(told) = fields.get_mut(name) {
        *told = answer(told).into();
    }
}

/// Yes or no, as people and other languages write them.
fn answer(told: &Value) -> Option<bool> {
    match told {
        Value::Bool(answer) => Some(*answer),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" | "pass" | "passed" => Some(true),
            "false" | "no" | "0" | "fail" | "failed" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::eval::ApplyStatus;

    #[test]
    fn yes_and_no_are_read_as_people_and_other_languages_write_them() {
        let yes = [
            json!(true),
            json!(1),
            json!(1.0),
            json!("yes"),
            json!(" Passed "),
        ];
        let no = [
            json!(false),
            json!(0),
            json!(0.0),
            json!("no"),
            json!("FAILED"),
        ];
        let neither = [
            json!(null),
            json!(2),
            json!(-1),
            json!("maybe"),
            json!([true]),
        ];
        for (answers, wanted) in [
            (yes, json!(true)),
            (no, json!(false)),
            (neither, json!(null)),
        ] {
            for answer in answers {
                let file = json!({"both_passed": answer, "feature1": {"passed": answer}});
                let read = shaped(file);
                assert_eq!(read["both_passed"], wanted, "{answer}");
                assert_eq!(read["feature1"]["passed"], wanted, "{answer}");
            }
        }
    }
    #[test]
    fn a_feature_may_be_its_answer_or_not_be_told() {
        let read = shaped(json!({"feature1": "yes", "feature2": null}));
        assert_eq!(
            read,
            json!({"feature1": {"passed": true}, "feature2": null})
        );
    }

    #[test]
    fn a_text_of_another_shape_is_not_there() {
        let read = |value: Value| text(value).unwrap();
        assert_eq!(read(json!("2026-01-01")).as_deref(), Some("2026-01-01"));
        assert_eq!(read(json!(7)), None);
    }

    #[test]
    fn a_number_of_another_shape_is_not_known() {
        let read = |value: Value| number(value).unwrap();
        assert_eq!(read(json!(137)), Some(137));
        assert_eq!(read(json!(-9)), Some(-9));
        for other in [json!("137"), json!(1.5), json!(null), json!([3])] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn what_became_of_two_patches_is_known_where_both_are_told_in_words() {
        let read = |value: Value| understood::<ApplyStatus, _>(value).unwrap();
        let told = read(json!({"agent1": "applied", "agent2": "failed"})).unwrap();
        assert_eq!((&*told.agent1, &*told.agent2), ("applied", "failed"));
        for other in [json!("applied"), json!({"agent1": "applied"}), json!(null)] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }
}
