use labd::config::Config;

/// Where there is nothing to include.
const NAME: &str = "/nonexistent/labd.conf";

pub(crate) fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let faults = match Config::parse(text, NAME) {
        Ok(config) => config.warnings,
        Err(faults) => {
            assert!(!faults.is_empty(), "refused, and nobody says why");
            faults
        }
    };
    faults.iter().for_each(|fault| crate::assert_plain(&fault.to_string()));
}
