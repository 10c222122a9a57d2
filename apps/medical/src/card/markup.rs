//! What a page is written with.

use std::fmt::{self, Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foretell_media::Picture;
use foretell_media::draw::{DrawError, to_png};

use crate::NOTICE;

/// Stands for a character that HTML has no place for.
const REPLACEMENT: char = '\u{fffd}';

/// A text as it stands in HTML, in an element or in an attribute's quotes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                '\t' | '\n' => formatter.write_char(' ')?,
                control if control.is_control() => formatter.write_char(REPLACEMENT)?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A picture as an `<img>` that has its PNG within it.
pub(super) fn image(picture: &Picture, description: &str) -> Result<String, DrawError> {
    let png = STANDARD.encode(to_png(picture)?);
    let Picture { width, height, .. } = picture;
    let description = Text(description);
    Ok(format!(
        "<img width=\"{width}\" height=\"{height}\" alt=\"{description}\" src=\"data:image/png;base64,{png}\">"
    ))
}

/// Colours, and where things stand. Pictures keep their colours in the dark; all else turns.
const STYLE: &str = include_str!("style.css");

/// A whole page around its content: one file, which asks for nothing from anywhere and runs nothing.
pub(super) fn document(title: &str, content: &str) -> String {
    let title = Text(title);
    let style = STYLE.trim_end();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{style}\n</style>\n</head>\n<body>\n\
         <p class=\"notice\">{NOTICE}</p>\n{content}<p class=\"notice\">{NOTICE}</p>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use foretell_media::Samples;

    use super::*;

    #[test]
    fn texts_bring_no_markup_with_them() {
        for (text, expected) in [
            ("plain", "plain"),
            ("<script>alert('x')</script>", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"),
            ("\" onload=\"", "&quot; onload=&quot;"),
            ("&amp;", "&amp;amp;"),
            ("a\nb\u{0}\u{1b}[31m", "a b\u{fffd}\u{fffd}[31m"),
            ("März", "März"),
        ] {
            assert_eq!(Text(text).to_string(), expected);
        }
    }

    #[test]
    fn an_image_is_within_the_page() {
        let picture = Picture { width: 1, height: 2, channels: 1, samples: Samples::U8(vec![0, 255]) };
        let image = image(&picture, "a \"film\"").unwrap();
        // The signature of PNG, in base64.
        assert!(image.contains("src=\"data:image/png;base64,iVBORw0KGgo"), "{image}");
        assert!(image.contains("width=\"1\" height=\"2\" alt=\"a &quot;film&quot;\""), "{image}");
    }
}
