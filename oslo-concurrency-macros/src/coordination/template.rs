//! Names with fields: `"{f_name}-{volume.id}"`.

use syn::{Error, Expr, LitStr, Result};

/// A literal with fields, each of which is an expression.
pub struct Template {
    /// The literal with empty fields, for `format!`.
    pub format: LitStr,
    pub fields: Vec<Expr>,
}

impl Template {
    pub fn parse(literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        let error = |problem: String| Err(Error::new(literal.span(), problem));
        let mut format = String::new();
        let mut fields = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            format.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("{{").or(rest.strip_prefix("}}")) {
                format.push_str(&rest[..2]);
                rest = after;
                continue;
            }
            if rest.starts_with('}') {
                return error("a `}` that begins no field is written `}}`".to_owned());
            }
            let Some(end) = end_of_field(rest) else {
                return error("a `{` that begins no field is written `{{`".to_owned());
            };
            let (field, spec) = split_spec(&rest[1..end]);
            if field.trim().is_empty() {
                return error(
                    "a field of a lock's name is an expression, such as {volume.id}".to_owned(),
                );
            }
            match LitStr::new(field, literal.span()).parse::<Expr>() {
                Ok(field) => fields.push(field),
                Err(problem) => return error(format!("{field:?} is no expression: {problem}")),
            }
            format.push('{');
            format.push_str(spec);
            format.push('}');
            rest = &rest[end + 1..];
        }
        format.push_str(rest);
        Ok(Template {
            format: LitStr::new(&format, literal.span()),
            fields,
        })
    }
}

/// The position of the `}` that belongs to the `{` at the start.
fn end_of_field(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Splits `id:04` into the expression and the format, which begins with `:`. A `::` belongs to the
/// expression.
fn split_spec(field: &str) -> (&str, &str) {
    let bytes = field.as_bytes();
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b':' if depth == 0
                && bytes.get(at + 1) != Some(&b':')
                && (at == 0 || bytes[at - 1] != b':') =>
            {
                return field.split_at(at);
            }
            _ => {}
        }
    }
    (field, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn parsed(text: &str) -> (String, Vec<String>) {
        let literal = LitStr::new(text, proc_macro2::Span::call_site());
        let template = Template::parse(&literal).unwrap();
        let fields = template.fields.iter();
        let shown = fields.map(|field| field.to_token_stream().to_string().replace(' ', ""));
        (template.format.value(), shown.collect())
    }

    #[test]
    fn fields_are_expressions() {
        let (format, fields) = parsed("{f_name}-{volume.id}-{names[0]:>4}-{a::b(c)}-{{x}}");
        assert_eq!(format, "{}-{}-{:>4}-{}-{{x}}");
        assert_eq!(fields, ["f_name", "volume.id", "names[0]", "a::b(c)"]);
        assert_eq!(parsed("plain"), ("plain".to_owned(), vec![]));
        assert_eq!(parsed("{S { x: 1 }.x:?}").1, ["S{x:1}.x"]);
    }
}
