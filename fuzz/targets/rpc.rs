//! A call of our API: the method on the first line, then its parameters. Every refusal is one line that names a field.

use sluice::api::check_params;

pub fn run(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (method, params) = (&data[..end], &data[end + 1..]);
    let (Ok(method), Ok(params)) = (std::str::from_utf8(method), serde_json::from_slice(params)) else {
        return;
    };
    if let Err(error) = check_params(method, &params) {
        let text = error.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
        assert!(text.len() < 2_000, "{} bytes of an error", text.len());
    }
}
