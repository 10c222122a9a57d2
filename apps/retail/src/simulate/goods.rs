//! What a simulated shop sells: kinds of goods, what goes with what, and the words for titles.

/// Departments, the first level of a category path.
pub(super) const DEPARTMENTS: [&str; 8] =
    ["Camping", "Kitchen", "Garden", "Office", "Running", "Winter Sports", "Bathroom", "Pets"];

/// How much is bought in each month, January first, in tenths of the average.
pub(super) type Season = [u8; 12];

const ALWAYS: Season = [10; 12];
const SPRING: Season = [4, 8, 20, 28, 22, 12, 6, 5, 6, 4, 3, 2];
const SUMMER: Season = [2, 3, 6, 10, 17, 24, 24, 16, 8, 4, 3, 3];
const AUTUMN: Season = [8, 6, 5, 5, 5, 6, 9, 22, 24, 14, 8, 8];
const WINTER: Season = [24, 18, 8, 3, 1, 1, 1, 2, 5, 12, 20, 25];
const GIFTS: Season = [6, 6, 7, 8, 8, 7, 7, 7, 8, 11, 20, 25];

/// One kind of goods: a category of the second level.
#[derive(Debug)]
pub(super) struct Kind {
    /// Place in [`DEPARTMENTS`].
    pub(super) department: usize,
    /// Category.
    pub(super) category: &'static str,
    /// What a title calls it.
    pub(super) noun: &'static str,
    /// Price in whole currency units, of a cheap and of a dear one, before the brand has its say.
    pub(super) price: (u32, u32),
    pub(super) season: Season,
    /// Days after which it is used up; none for what lasts.
    pub(super) lasts_days: Option<(u32, u32)>,
    /// Category of what is bought some days later to go with it.
    pub(super) then: Option<&'static str>,
    /// What the three items of one line differ in.
    pub(super) variants: [&'static str; 3],
}

impl Kind {
    const fn lasting(
        department: usize,
        (category, noun): (&'static str, &'static str),
        price: (u32, u32),
        season: Season,
        then: Option<&'static str>,
        variants: [&'static str; 3],
    ) -> Kind {
        Kind { department, category, noun, price, season, lasts_days: None, then, variants }
    }

    const fn used_up(self, after_days: (u32, u32)) -> Kind {
        Kind { lasts_days: Some(after_days), ..self }
    }
}

const COLOURS: [&str; 3] = ["green", "blue", "red"];
const EARTHS: [&str; 3] = ["sand", "olive", "slate"];
const SIZES: [&str; 3] = ["small", "medium", "large"];

/// Every kind. What goes together stands together, so that a shop of few items has chains, too.
pub(super) const KINDS: [Kind; 42] = [
    Kind::lasting(
        0,
        ("Tents", "Tent"),
        (90, 420),
        SUMMER,
        Some("Sleeping Bags"),
        ["2 persons", "3 persons", "4 persons"],
    ),
    Kind::lasting(0, ("Sleeping Bags", "Sleeping Bag"), (40, 190), SUMMER, Some("Camping Mats"), SIZES),
    Kind::lasting(0, ("Camping Mats", "Camping Mat"), (15, 90), SUMMER, Some("Camping Stoves"), EARTHS),
    Kind::lasting(
        0,
        ("Camping Stoves", "Camping Stove"),
        (25, 110),
        SUMMER,
        Some("Gas Cartridges"),
        ["1 flame", "2 flames", "windproof"],
    ),
    Kind::lasting(0, ("Gas Cartridges", "Gas Cartridge"), (4, 12), SUMMER, None, ["100 g", "230 g", "450 g"])
        .used_up((20, 45)),
    Kind::lasting(
        1,
        ("Coffee Makers", "Coffee Maker"),
        (30, 260),
        GIFTS,
        Some("Coffee Grinders"),
        ["4 cups", "8 cups", "12 cups"],
    ),
    Kind::lasting(
        1,
        ("Coffee Grinders", "Coffee Grinder"),
        (20, 120),
        GIFTS,
        Some("Coffee"),
        ["manual", "electric", "travel"],
    ),
    Kind::lasting(
        1,
        ("Coffee", "Coffee"),
        (6, 14),
        ALWAYS,
        None,
        ["mild roast", "medium roast", "dark roast"],
    )
    .used_up((14, 28)),
    Kind::lasting(
        1,
        ("Frying Pans", "Frying Pan"),
        (18, 90),
        GIFTS,
        Some("Kitchen Knives"),
        ["20 cm", "24 cm", "28 cm"],
    ),
    Kind::lasting(
        1,
        ("Kitchen Knives", "Kitchen Knife"),
        (12, 140),
        GIFTS,
        Some("Knife Sharpeners"),
        ["for bread", "for vegetables", "for meat"],
    ),
    Kind::lasting(
        1,
        ("Knife Sharpeners", "Knife Sharpener"),
        (10, 60),
        ALWAYS,
        None,
        ["coarse", "fine", "two stages"],
    ),
    Kind::lasting(
        2,
        ("Raised Beds", "Raised Bed"),
        (45, 180),
        SPRING,
        Some("Potting Soil"),
        ["60 cm", "90 cm", "120 cm"],
    ),
    Kind::lasting(
        2,
        ("Potting Soil", "Potting Soil"),
        (5, 14),
        SPRING,
        Some("Seeds"),
        ["10 l", "20 l", "40 l"],
    )
    .used_up((30, 60)),
    Kind::lasting(2, ("Seeds", "Seeds"), (2, 5), SPRING, None, ["tomato", "basil", "sunflower"])
        .used_up((25, 60)),
    Kind::lasting(2, ("Garden Tools", "Garden Spade"), (12, 55), SPRING, Some("Garden Gloves"), SIZES),
    Kind::lasting(2, ("Garden Gloves", "Garden Gloves"), (5, 20), SPRING, None, SIZES),
    Kind::lasting(2, ("Garden Chairs", "Garden Chair"), (35, 160), SUMMER, Some("Cushions"), EARTHS),
    Kind::lasting(2, ("Cushions", "Cushion"), (10, 40), SUMMER, None, COLOURS),
    Kind::lasting(
        3,
        ("Printers", "Printer"),
        (70, 320),
        AUTUMN,
        Some("Ink"),
        ["black", "colour", "with scanner"],
    ),
    Kind::lasting(3, ("Ink", "Ink Cartridge"), (12, 40), ALWAYS, Some("Paper"), ["black", "colour", "large"])
        .used_up((35, 70)),
    Kind::lasting(3, ("Paper", "Paper"), (4, 12), ALWAYS, None, ["250 sheets", "500 sheets", "recycled"])
        .used_up((35, 80)),
    Kind::lasting(3, ("Desk Lamps", "Desk Lamp"), (18, 95), AUTUMN, Some("Desk Chairs"), EARTHS),
    Kind::lasting(3, ("Desk Chairs", "Desk Chair"), (80, 380), AUTUMN, None, EARTHS),
    Kind::lasting(3, ("Notebooks", "Notebook"), (3, 18), AUTUMN, Some("Pens"), ["lined", "squared", "plain"]),
    Kind::lasting(3, ("Pens", "Pen"), (2, 15), AUTUMN, None, COLOURS).used_up((40, 90)),
    Kind::lasting(
        4,
        ("Running Shoes", "Running Shoes"),
        (60, 190),
        SPRING,
        Some("Running Socks"),
        ["road", "trail", "track"],
    ),
    Kind::lasting(4, ("Running Socks", "Running Socks"), (8, 22), SPRING, Some("Drinking Bottles"), SIZES),
    Kind::lasting(
        4,
        ("Drinking Bottles", "Drinking Bottle"),
        (9, 35),
        SUMMER,
        Some("Energy Gels"),
        ["0.5 l", "0.75 l", "1 l"],
    ),
    Kind::lasting(4, ("Energy Gels", "Energy Gel"), (2, 4), SUMMER, None, ["lemon", "berry", "cola"])
        .used_up((14, 28)),
    Kind::lasting(
        5,
        ("Ski Goggles", "Ski Goggles"),
        (35, 190),
        WINTER,
        Some("Ski Gloves"),
        ["clear", "mirrored", "for glasses"],
    ),
    Kind::lasting(5, ("Ski Gloves", "Ski Gloves"), (25, 130), WINTER, Some("Base Layers"), SIZES),
    Kind::lasting(5, ("Base Layers", "Base Layer"), (25, 110), WINTER, None, SIZES),
    Kind::lasting(5, ("Ski Wax", "Ski Wax"), (8, 25), WINTER, None, ["cold", "warm", "all snow"])
        .used_up((25, 50)),
    Kind::lasting(
        6,
        ("Shampoo", "Shampoo"),
        (3, 12),
        ALWAYS,
        Some("Conditioner"),
        ["dry hair", "fine hair", "curly hair"],
    )
    .used_up((30, 60)),
    Kind::lasting(
        6,
        ("Conditioner", "Conditioner"),
        (3, 13),
        ALWAYS,
        None,
        ["dry hair", "fine hair", "curly hair"],
    )
    .used_up((35, 70)),
    Kind::lasting(6, ("Towels", "Towel"), (8, 35), GIFTS, Some("Bath Mats"), COLOURS),
    Kind::lasting(6, ("Bath Mats", "Bath Mat"), (12, 45), GIFTS, None, COLOURS),
    Kind::lasting(
        6,
        ("Toothbrushes", "Electric Toothbrush"),
        (25, 150),
        ALWAYS,
        Some("Brush Heads"),
        ["gentle", "deep clean", "travel"],
    ),
    Kind::lasting(
        6,
        ("Brush Heads", "Brush Heads"),
        (6, 22),
        ALWAYS,
        None,
        ["gentle", "deep clean", "small"],
    )
    .used_up((60, 90)),
    Kind::lasting(7, ("Dog Beds", "Dog Bed"), (25, 120), ALWAYS, Some("Dog Leads"), SIZES),
    Kind::lasting(7, ("Dog Leads", "Dog Lead"), (8, 40), ALWAYS, Some("Dog Food"), COLOURS),
    Kind::lasting(7, ("Dog Food", "Dog Food"), (9, 45), ALWAYS, None, ["chicken", "lamb", "salmon"])
        .used_up((14, 30)),
];

/// Made-up brands. A third of them is cheap, a third dear.
pub(super) const BRANDS: [&str; 18] = [
    "Velkano",
    "Tarnholt",
    "Birkeva",
    "Lumeska",
    "Ordwin",
    "Pellamo",
    "Fernick",
    "Soltara",
    "Hazelow",
    "Grenvik",
    "Mirabo",
    "Kestovar",
    "Dunmara",
    "Ilvane",
    "Wexlow",
    "Quorrin",
    "Castelune",
    "Ysander",
];
/// Brands in one department.
pub(super) const BRANDS_OF_DEPARTMENT: usize = 6;
/// What the brand makes of a price: cheap, usual, dear.
pub(super) const LEVELS: [f64; 3] = [0.7, 1.0, 1.6];

const BEGINNINGS: [&str; 16] = [
    "Al", "Bel", "Cor", "Dan", "El", "Fen", "Gal", "Hol", "Iv", "Jun", "Kel", "Lor", "Mar", "Nor", "Ol",
    "Per",
];
const ENDINGS: [&str; 12] = ["a", "ano", "eo", "era", "ida", "in", "is", "on", "ora", "um", "une", "yx"];

/// Name of a line: a made-up word, with a number where the words do not suffice. Every number has another name.
pub(super) fn line_name(number: usize) -> String {
    let words = BEGINNINGS.len() * ENDINGS.len();
    let (round, number) = (number / words, number % words);
    // Neighbours differ in both halves; 16 and 12 are not coprime, hence the shift after each common multiple.
    let shift = number / 48;
    let word =
        format!("{}{}", BEGINNINGS[number % BEGINNINGS.len()], ENDINGS[(number + shift) % ENDINGS.len()]);
    if round == 0 { word } else { format!("{word} {}", round + 1) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_has_another_name() {
        let names: BTreeSet<String> = (0..1_000).map(line_name).collect();
        assert_eq!(names.len(), 1_000);
        assert_eq!((line_name(0).as_str(), line_name(192).as_str()), ("Ala", "Ala 2"));
    }

    #[test]
    fn what_goes_with_a_kind_is_a_kind_of_the_same_department() {
        let categories: BTreeSet<&str> = KINDS.iter().map(|kind| kind.category).collect();
        assert_eq!(categories.len(), KINDS.len(), "a category is named once");
        for kind in &KINDS {
            let Some(then) = kind.then else { continue };
            let then =
                KINDS.iter().find(|other| other.category == then).unwrap_or_else(|| panic!("{kind:?}"));
            assert_eq!(then.department, kind.department, "{kind:?}");
        }
        assert!(
            (0..DEPARTMENTS.len()).all(|department| KINDS.iter().any(|kind| kind.department == department))
        );
    }

    #[test]
    fn seasons_move_purchases_and_do_not_add_to_them() {
        for season in [ALWAYS, SPRING, SUMMER, AUTUMN, WINTER, GIFTS] {
            assert_eq!(season.iter().map(|&tenths| u32::from(tenths)).sum::<u32>(), 120, "{season:?}");
        }
    }
}
