//! Names of the model as Rust spells them.

/// Words of AWS's that do not split where their capitals suggest.
const WHOLE_WORDS: [(&str, &str); 2] = [("VCpu", "Vcpu"), ("GiB", "Gib")];

/// `KMSKeyArn` → `kms_key_arn`, `S3Key` → `s3_key`.
pub(super) fn snake(name: &str) -> String {
    words(name).iter().map(|word| word.to_ascii_lowercase()).collect::<Vec<_>>().join("_")
}

/// `KMSKeyArn` → `KMS_KEY_ARN`.
pub(super) fn screaming(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// A member's name as a Rust identifier.
pub(super) fn field(name: &str) -> String {
    let snake = snake(name);
    if matches!(snake.as_str(), "type" | "match" | "ref" | "use" | "in" | "static" | "where" | "move") {
        format!("r#{snake}")
    } else {
        snake
    }
}

/// The path by which AWS's validation errors name a member: `FunctionName` → `functionName`.
pub(super) fn path(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

/// A shape's name as that of a type: `statusType` → `StatusType`.
pub(super) fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

/// A value of an enumeration as a variant: `TRIM_HORIZON` → `TrimHorizon`, `python3.12` → `Python3_12`.
pub(super) fn variant(value: &str) -> String {
    let mut variant = String::new();
    for part in
        value.split(|character: char| !character.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
    {
        let between_digits = variant.ends_with(|last: char| last.is_ascii_digit())
            && part.starts_with(|first: char| first.is_ascii_digit());
        if between_digits {
            variant.push('_');
        }
        let is_shouting = part.len() > 1 && !part.chars().any(|character| character.is_ascii_lowercase());
        let part = if is_shouting { part.to_ascii_lowercase() } else { part.to_owned() };
        variant.push_str(&capitalised(&part));
    }
    variant
}

fn words(name: &str) -> Vec<String> {
    let mut name = name.to_owned();
    for (from, to) in WHOLE_WORDS {
        name = name.replace(from, to);
    }
    let characters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (index, &character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|before| characters[before]);
        let next = characters.get(index + 1);
        let after_lower = previous.is_some_and(|previous| !previous.is_ascii_uppercase());
        let before_lower = next.is_some_and(char::is_ascii_lowercase);
        match words.last_mut() {
            Some(word) if !(character.is_ascii_uppercase() && (after_lower || before_lower)) => {
                word.push(character);
            }
            _ => words.push(character.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_snake_case() {
        for (name, expected) in [
            ("FunctionName", "function_name"),
            ("KMSKeyArn", "kms_key_arn"),
            ("S3ObjectVersion", "s3_object_version"),
            ("EC2ErrorCode", "ec2_error_code"),
            ("UUID", "uuid"),
            ("MaxVCpuCount", "max_vcpu_count"),
            ("ExecutionEnvironmentMemoryGiBPerVCpu", "execution_environment_memory_gib_per_vcpu"),
            ("Ipv6AllowedForDualStack", "ipv6_allowed_for_dual_stack"),
            ("logGroupName", "log_group_name"),
            ("Type", "r#type"),
            ("ENINotReadyException", "eni_not_ready_exception"),
        ] {
            assert_eq!(field(name), expected);
        }
    }

    #[test]
    fn variants_are_camel_case() {
        for (value, expected) in [
            ("x86_64", "X86_64"),
            ("TRIM_HORIZON", "TrimHorizon"),
            ("python3.12", "Python3_12"),
            ("nodejs4.3-edge", "Nodejs4_3Edge"),
            ("provided.al2023", "ProvidedAl2023"),
            ("FunctionError.InitTimeout", "FunctionErrorInitTimeout"),
            ("NONE", "None"),
            ("PublishedVersions", "PublishedVersions"),
        ] {
            assert_eq!(variant(value), expected);
        }
    }

    #[test]
    fn paths_lower_the_first_letter_only() {
        assert_eq!(path("KMSKeyArn"), "kMSKeyArn");
    }
}
