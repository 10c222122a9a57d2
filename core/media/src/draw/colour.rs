//! Colours that people with any kind of colour vision can tell apart.

/// Red, green and blue, 0 to 255 each, as sRGB.
pub type Colour = [u8; 3];

pub(super) const BLACK: Colour = [0, 0, 0];
pub(super) const WHITE: Colour = [255, 255, 255];

/// A scale of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColourMap {
    /// For amounts: from dark blue through red to light yellow, each colour lighter than the one before, so that the
    /// order survives a printer without colour.
    ///
    /// Ten points of the map `plasma` that Smith and van der Walt made for Matplotlib 1.5 and gave away under CC0; even
    /// steps for the eye, with ordinary and with red-green deficient colour vision.
    #[default]
    Sequential,
    /// For amounts with a sign: blue below, white in the middle, orange above.
    ///
    /// Its colours are those of Okabe and Ito, "Color universal design" (2008), which were chosen to be told apart with
    /// any colour vision. Both ends are about equally dark, so print it in colour.
    Diverging,
}

/// From the lowest to the highest value, at even distances.
const SEQUENTIAL: [Colour; 10] = [
    [0x0d, 0x08, 0x87],
    [0x46, 0x03, 0x9f],
    [0x72, 0x01, 0xa8],
    [0x9c, 0x17, 0x9e],
    [0xbd, 0x37, 0x86],
    [0xd8, 0x57, 0x6b],
    [0xed, 0x79, 0x53],
    [0xfa, 0x9e, 0x3b],
    [0xfd, 0xc9, 0x26],
    [0xf0, 0xf9, 0x21],
];

/// From the lowest to the highest value, at even distances: blue, sky blue, white, orange, vermilion.
const DIVERGING: [Colour; 5] = [[0, 114, 178], [86, 180, 233], WHITE, [230, 159, 0], [213, 94, 0]];

/// The colours of Okabe and Ito but for black, those first that stand out most from a grey picture.
const CLASSES: [Colour; 7] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 158, 115],
    [240, 228, 66],
    [204, 121, 167],
    [213, 94, 0],
    [0, 114, 178],
];

impl ColourMap {
    /// The colour of a value between 0, the lowest, and 1, the highest. What is beyond counts as the end that is
    /// nearer, and NaN as the lowest.
    pub fn colour(self, share: f32) -> Colour {
        let points: &[Colour] = match self {
            ColourMap::Sequential => &SEQUENTIAL,
            ColourMap::Diverging => &DIVERGING,
        };
        let place = share.clamp(0.0, 1.0) * (points.len() - 1) as f32;
        let first = (place as usize).min(points.len() - 2);
        let place = if place.is_nan() { 0.0 } else { place - first as f32 };
        blended(points[first], points[first + 1], place)
    }
}

/// The colour of a class: seven that are told apart easily, and then the same again.
pub fn class_colour(class: usize) -> Colour {
    CLASSES[class % CLASSES.len()]
}

/// `over` laid on `under`, with an opacity between 0 and 1.
pub(super) fn blended(under: Colour, over: Colour, opacity: f32) -> Colour {
    std::array::from_fn(|channel| {
        let (under, over) = (f32::from(under[channel]), f32::from(over[channel]));
        (under + (over - under) * opacity).round() as u8
    })
}

/// Black or white, whichever is read more easily on a colour (luma of ITU-R BT.601, the weights of section 2.5.1).
pub(super) fn readable_on(colour: Colour) -> Colour {
    let [red, green, blue] = colour.map(u32::from);
    if 299 * red + 587 * green + 114 * blue > 127_500 { BLACK } else { WHITE }
}
