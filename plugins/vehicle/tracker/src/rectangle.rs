//! Boxes on an image, by centre and size.

/// A box: its centre and its size, in pixels, x to the right and y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Centre.
    pub centre: [f64; 2],
    /// Width and height.
    pub size: [f64; 2],
}

impl Rectangle {
    /// The box with the upper left corner `x, y`.
    pub fn from_corner(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { centre: [x + width / 2.0, y + height / 2.0], size: [width, height] }
    }

    /// Upper left corner.
    pub fn corner(&self) -> [f64; 2] {
        [0, 1].map(|axis| self.centre[axis] - self.size[axis] / 2.0)
    }

    /// Area, in square pixels.
    pub fn area(&self) -> f64 {
        self.size[0] * self.size[1]
    }

    /// Side of the square of the same area: the length by which motion is measured, so that a near object and a far one
    /// are judged alike.
    pub fn side(&self) -> f64 {
        self.area().sqrt()
    }

    /// The same box, `by` pixels further.
    pub fn moved(&self, by: [f64; 2]) -> Self {
        Self { centre: [0, 1].map(|axis| self.centre[axis] + by[axis]), size: self.size }
    }

    /// The box a `share` of the way to another: this one at 0, the other at 1.
    pub fn towards(&self, other: &Self, share: f64) -> Self {
        let between =
            |from: [f64; 2], to: [f64; 2]| [0, 1].map(|axis| from[axis] + share * (to[axis] - from[axis]));
        Self { centre: between(self.centre, other.centre), size: between(self.size, other.size) }
    }

    /// What of the box is on an image of `width` by `height` pixels; `None` where nothing is.
    pub fn cut(&self, image: [f64; 2]) -> Option<Self> {
        let edge = |axis: usize, side: f64| {
            (self.centre[axis] + side * self.size[axis] / 2.0).clamp(0.0, image[axis])
        };
        let ([x, right], [y, bottom]) = ([edge(0, -1.0), edge(0, 1.0)], [edge(1, -1.0), edge(1, 1.0)]);
        (x < right && y < bottom).then(|| Self::from_corner(x, y, right - x, bottom - y))
    }

    /// Area of the intersection over the area of the union, 0 to 1; 0 where both are empty.
    ///
    /// ```
    /// use foretell_plugin_tracker::rectangle::Rectangle;
    /// let one = Rectangle::from_corner(0.0, 0.0, 2.0, 2.0);
    /// let other = Rectangle::from_corner(1.0, 0.0, 2.0, 2.0);
    /// assert!((one.overlap(&other) - 1.0 / 3.0).abs() < 1e-12);
    /// ```
    pub fn overlap(&self, other: &Self) -> f64 {
        let common = [0, 1].map(|axis| {
            let distance = (self.centre[axis] - other.centre[axis]).abs();
            let reach = (self.size[axis] + other.size[axis]) / 2.0 - distance;
            reach.min(self.size[axis]).min(other.size[axis]).max(0.0)
        });
        let common = common[0] * common[1];
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }
}
