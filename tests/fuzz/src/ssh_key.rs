use labd::rules::key;

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match key::read(text) {
        Ok(taken) => {
            assert!(!taken.line.chars().any(char::is_control), "{:?}", taken.line);
            assert_eq!(key::read(&taken.line), Ok(taken.clone()));
            assert!(taken.fingerprint.starts_with("SHA256:"));
        }
        Err(error) => crate::assert_plain(&error.to_string()),
    }
}
