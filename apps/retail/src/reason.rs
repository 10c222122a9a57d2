//! From a plugin's reason to a sentence.

/// The reason for an item that many buy, where nothing better is known.
pub const POPULAR: &str = "popular";

/// What is known of items when a sentence is made.
pub trait Titles {
    /// What people call an item: its title, or its id where the catalogue has none.
    fn title(&self, item: &str) -> String;
}

/// Who asked, as far as it makes for other words.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'q> {
    /// What a customer will like; the items are those of their basket or session.
    Next(&'q [String]),
    /// What is similar to an item.
    Similar,
}

/// The sentence for a reason. Plugins give `bought ITEM`, `brand ITEM`, `category ITEM` and `popular`; other words
/// are shown as they are.
///
/// ```
/// use foretell_retail::reason::{Asked, Titles, sentence};
///
/// struct Shop;
/// impl Titles for Shop {
///     fn title(&self, item: &str) -> String {
///         if item == "7" { "Velkano Ala Tent".into() } else { item.into() }
///     }
/// }
/// assert_eq!(sentence("bought 7", Asked::Next(&[]), &Shop), "because you bought Velkano Ala Tent");
/// assert_eq!(sentence("bought 7", Asked::Next(&["7".into()]), &Shop), "goes with Velkano Ala Tent");
/// assert_eq!(sentence("brand 8", Asked::Next(&[]), &Shop), "same brand as 8");
/// assert_eq!(sentence("popular", Asked::Similar, &Shop), "popular with everybody");
/// ```
pub fn sentence(reason: &str, asked: Asked<'_>, titles: &impl Titles) -> String {
    let (kind, item) = reason.split_once(' ').unwrap_or((reason, ""));
    match (kind, asked) {
        (POPULAR, _) => "popular with everybody".to_owned(),
        ("bought", Asked::Similar) => "often bought together".to_owned(),
        ("bought", Asked::Next(items)) if items.iter().any(|given| given == item) => {
            format!("goes with {}", titles.title(item))
        }
        ("bought", Asked::Next(_)) => format!("because you bought {}", titles.title(item)),
        ("brand", Asked::Similar) => "same brand".to_owned(),
        ("brand", Asked::Next(_)) => format!("same brand as {}", titles.title(item)),
        ("category", Asked::Similar) => "same category".to_owned(),
        ("category", Asked::Next(_)) => format!("same category as {}", titles.title(item)),
        _ => reason.to_owned(),
    }
}
