//! Corners joined to grids along the edges of squares.

use std::collections::{HashMap, VecDeque};

use super::Pattern;
use crate::Homography;

/// How far the way to a neighbour may turn away from the edge that leads there: the cosine of 20 degrees.
const TURN_COSINE_MIN: f64 = 0.94;

/// Neighbours that are compared for each corner and direction: beyond so many nearer ones, none is a neighbour.
const NEAREST: usize = 24;

/// A corner where black and white alternate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    /// In pixels.
    pub(super) place: [f64; 2],
    /// The directions of the two edges through it, in radians.
    pub(super) axes: [f64; 2],
}

impl Corner {
    /// Unit vectors along the edges, to both sides.
    fn directions(&self) -> [[f64; 2]; 4] {
        let [first, second] = self.axes.map(|angle| [angle.cos(), angle.sin()]);
        [first, second, first.map(|side| -side), second.map(|side| -side)]
    }

    /// That of its directions that is nearest to another one.
    fn nearest(&self, to: [f64; 2]) -> [f64; 2] {
        let mut directions = self.directions();
        directions.sort_by(|left, right| dot(*right, to).total_cmp(&dot(*left, to)));
        directions[0]
    }
}

fn dot([a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    a * c + b * d
}

/// Places of a grid: column and row, which may be negative, and the corner there.
#[derive(Debug, Default)]
pub(super) struct Grid {
    cells: HashMap<[i32; 2], [f64; 2]>,
}

impl Grid {
    /// All grids among the corners, the largest first.
    pub(super) fn all(corners: &[Corner]) -> Vec<Grid> {
        let links = links(corners);
        let mut taken = vec![false; corners.len()];
        let mut grids: Vec<Grid> = Vec::new();
        for start in 0..corners.len() {
            if !taken[start] {
                grids.push(grow(corners, &links, start, &mut taken));
            }
        }
        grids.sort_by_key(|grid| std::cmp::Reverse(grid.len()));
        grids
    }

    /// How many corners it has.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The least and the greatest cell of each side.
    fn ends(&self) -> [[i32; 2]; 2] {
        [0, 1].map(|side| {
            let places = || self.cells.keys().map(|cell| cell[side]);
            [places().min().unwrap_or(0), places().max().unwrap_or(-1)]
        })
    }

    /// How many columns and rows it spans.
    pub(super) fn extent(&self) -> (usize, usize) {
        let [columns, rows] = self.ends().map(|[least, most]| (most - least + 1) as usize);
        (columns, rows)
    }

    /// The part of the grid that is the pattern, row by row, hidden corners where they must be. `None` unless all but `hidden` of
    /// them are there, and every other part of this size has fewer.
    pub(super) fn cut(&self, pattern: Pattern, hidden: f64) -> Option<Vec<[f64; 2]>> {
        let (columns, rows) = (pattern.columns() as i32, pattern.rows() as i32);
        let least = (f64::from(columns * rows) * (1.0 - hidden)).ceil() as usize;
        if self.len() < least {
            return None;
        }
        let [across, down] = self.ends();
        // From where, whether turned, and how many are there; the runner-up's number.
        let (mut best, mut next) = (None, 0);
        let mut most = 0;
        for turned in [false, true] {
            if turned && columns == rows {
                continue;
            }
            let (wide, high) = if turned { (rows, columns) } else { (columns, rows) };
            for left in across[0]..=(across[1] - wide + 1) {
                for top in down[0]..=(down[1] - high + 1) {
                    let there = (0..wide * high)
                        .filter(|cell| self.cells.contains_key(&[left + cell % wide, top + cell / wide]))
                        .count();
                    if there > most {
                        (best, next, most) = (Some((left, top, turned)), most, there);
                    } else {
                        next = next.max(there);
                    }
                }
            }
        }
        let (left, top, turned) = best.filter(|_| most >= least && most > next)?;
        let cell = |column: i32, row: i32| {
            if turned { [left + row, top + column] } else { [left + column, top + row] }
        };
        let (mut board, mut seen) = (Vec::new(), Vec::new());
        for (place, flat) in pattern.corners().enumerate() {
            let (column, row) = (place as i32 % columns, place as i32 / columns);
            let found = self.cells.get(&cell(column, row));
            seen.extend(found.map(|found| (flat, *found)));
            board.push((flat, found));
        }
        let (flat, found): (Vec<[f64; 2]>, Vec<_>) = seen.into_iter().unzip();
        // Of a row that is hidden altogether, nobody knows whether it is there.
        for (side, length, across) in [(0, columns, rows), (1, rows, columns)] {
            let on_line = |line: i32| flat.iter().filter(|corner| corner[side] == f64::from(line)).count();
            if (0..length).any(|line| 2 * on_line(line) < across as usize) {
                return None;
            }
        }
        let mapping = Homography::fit(&flat, &found)?;
        let placed: Option<Vec<[f64; 2]>> =
            board.into_iter().map(|(flat, found)| found.copied().or_else(|| mapping.apply(flat))).collect();
        Some(upright(placed?, pattern))
    }
}

/// The corners in the order that is promised: not mirrored, and the first one nearest to the left upper corner of the image.
fn upright(mut board: Vec<[f64; 2]>, pattern: Pattern) -> Vec<[f64; 2]> {
    let (columns, rows) = (pattern.columns(), pattern.rows());
    let vector = |board: &[[f64; 2]], to: usize| [board[to][0] - board[0][0], board[to][1] - board[0][1]];
    let (along, down) = (vector(&board, columns - 1), vector(&board, (rows - 1) * columns));
    if along[0] * down[1] - along[1] * down[0] < 0.0 {
        for row in board.chunks_exact_mut(columns) {
            row.reverse();
        }
    }
    let first = |board: &[[f64; 2]]| board[0][0] + board[0][1];
    let turns: &[fn(usize, usize, usize) -> usize] = if columns == rows {
        // A square pattern can be turned by quarters, too.
        &[
            |place, _, _| place,
            |place, _, count| count - 1 - place,
            |place, side, _| (place % side) * side + side - 1 - place / side,
            |place, side, _| (side - 1 - place % side) * side + place / side,
        ]
    } else {
        &[|place, _, _| place, |place, _, count| count - 1 - place]
    };
    let turned = turns.iter().map(|turn| {
        (0..board.len()).map(|place| board[turn(place, columns, board.len())]).collect::<Vec<_>>()
    });
    turned.min_by(|left, right| first(left).total_cmp(&first(right))).unwrap_or(board.clone())
}

/// For each corner its neighbours that also have it as theirs.
fn links(corners: &[Corner]) -> Vec<Vec<usize>> {
    let buckets = Buckets::new(corners);
    let wanted: Vec<[Option<usize>; 4]> = (0..corners.len())
        .map(|from| {
            let near = buckets.nearest(corners, from);
            corners[from].directions().map(|direction| neighbour(corners, from, direction, &near))
        })
        .collect();
    let mutual = |from: usize| {
        let to = wanted[from].iter().flatten().copied();
        to.filter(|&to| wanted[to].contains(&Some(from))).collect()
    };
    (0..corners.len()).map(mutual).collect()
}

/// The nearest corner in a direction.
fn neighbour(corners: &[Corner], from: usize, direction: [f64; 2], near: &[usize]) -> Option<usize> {
    let mut best = (f64::INFINITY, None);
    for &to in near {
        let way = [0, 1].map(|side| corners[to].place[side] - corners[from].place[side]);
        let length = way[0].hypot(way[1]);
        let way = way.map(|side| side / length);
        let straight = dot(way, direction).min(dot(corners[to].nearest(way), way));
        // A neighbour that is straight ahead may be a little farther than one aside.
        let value = length / straight.powi(4);
        if straight >= TURN_COSINE_MIN && value < best.0 {
            best = (value, Some(to));
        }
    }
    best.1
}

/// Corners by squares of the image, so that not each is compared with each.
struct Buckets {
    side: f64,
    buckets: HashMap<[i64; 2], Vec<usize>>,
    most: i64,
}

impl Buckets {
    fn new(corners: &[Corner]) -> Self {
        let end = corners.iter().flat_map(|corner| corner.place).fold(1.0, f64::max);
        // A few corners a bucket, were they spread evenly.
        let side = (end / (corners.len() as f64 / 4.0).sqrt().max(1.0)).max(1.0);
        let mut buckets: HashMap<[i64; 2], Vec<usize>> = HashMap::new();
        for (number, corner) in corners.iter().enumerate() {
            buckets.entry(corner.place.map(|place| (place / side) as i64)).or_default().push(number);
        }
        Self { side, buckets, most: (end / side) as i64 + 1 }
    }

    /// The corners nearest to one, nearest first.
    fn nearest(&self, corners: &[Corner], from: usize) -> Vec<usize> {
        let Corner { place, .. } = corners[from];
        let [column, row] = place.map(|place| (place / self.side) as i64);
        let mut near: Vec<(f64, usize)> = Vec::new();
        for ring in 0..=self.most {
            let bucket = (-ring..=ring).flat_map(|dx| (-ring..=ring).map(move |dy| [dx, dy]));
            for [dx, dy] in bucket.filter(|[dx, dy]| dx.abs().max(dy.abs()) == ring) {
                let others = self.buckets.get(&[column + dx, row + dy]).into_iter().flatten();
                near.extend(others.filter(|&&other| other != from).map(|&other| {
                    let to = corners[other].place;
                    ((to[0] - place[0]).hypot(to[1] - place[1]), other)
                }));
            }
            // What is in the next ring is at least a side times the rings between away.
            let certain = near.iter().filter(|(length, _)| *length <= ring as f64 * self.side).count();
            if certain >= NEAREST {
                break;
            }
        }
        near.sort_by(|left, right| left.0.total_cmp(&right.0));
        near.into_iter().take(NEAREST).map(|(_, other)| other).collect()
    }
}

/// The grid that a corner belongs to.
fn grow(corners: &[Corner], links: &[Vec<usize>], start: usize, taken: &mut [bool]) -> Grid {
    let mut grid = Grid::default();
    let [first, second, ..] = corners[start].directions();
    // The corner, its cell, and which of its edges lead to the next column and to the next row.
    let mut waiting = VecDeque::from([(start, [0, 0], [first, second])]);
    taken[start] = true;
    while let Some((from, cell, [along, down])) = waiting.pop_front() {
        grid.cells.entry(cell).or_insert(corners[from].place);
        for &to in &links[from] {
            if taken[to] {
                continue;
            }
            let way = [0, 1].map(|side| corners[to].place[side] - corners[from].place[side]);
            let (columns, rows) = (dot(way, along), dot(way, down));
            let step = if columns.abs() > rows.abs() {
                [columns.signum() as i32, 0]
            } else {
                [0, rows.signum() as i32]
            };
            let next = [cell[0] + step[0], cell[1] + step[1]];
            if grid.cells.contains_key(&next) {
                continue;
            }
            taken[to] = true;
            // What was seen as the next column there is the same here, turned a little by perspective.
            let edges = [along, down].map(|edge| corners[to].nearest(edge));
            grid.cells.insert(next, corners[to].place);
            waiting.push_back((to, next, edges));
        }
    }
    grid
}
