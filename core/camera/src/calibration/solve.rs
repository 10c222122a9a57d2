//! All numbers of a calibration together, by the method of Levenberg and Marquardt.
//!
//! The camera has nine numbers and each picture six, which have nothing to do with those of the other pictures. So the equations
//! are solved for the camera first, with the pictures eliminated (Schur's complement), and the work grows with the pictures and
//! not with their cube.

use nalgebra::{Rotation3, SMatrix, SVector, Vector3};

use super::{Calibration, INTRINSICS, Pose, ViewFit};
use crate::Lens;

/// Numbers of a pose: a turn and a shift.
const POSE: usize = 6;

/// Steps at most; usual calibrations need ten.
const STEPS_MAX: usize = 200;

/// Steps that are smaller than this share of the error are the last.
const GAIN_MIN: f64 = 1e-12;

/// How strongly a step is damped at first, and beyond which damping there is no better place.
const DAMPING: f64 = 1e-3;
const DAMPING_MAX: f64 = 1e12;

type Intrinsics = SVector<f64, INTRINSICS>;

/// The equations of one picture.
struct Block {
    camera: SMatrix<f64, INTRINSICS, INTRINSICS>,
    mixed: SMatrix<f64, INTRINSICS, POSE>,
    pose: SMatrix<f64, POSE, POSE>,
    camera_side: Intrinsics,
    pose_side: SVector<f64, POSE>,
    /// Sum of the squared distances, in pixels.
    squares: f64,
}

/// The calibration with the least squared distances near the start. `None` where numbers stop being finite.
pub(super) fn solve(
    views: &[Vec<[f64; 2]>],
    board: &[[f64; 2]],
    mut numbers: Intrinsics,
    mut poses: Vec<Pose>,
) -> Option<Calibration> {
    let mut blocks = equations(views, board, &numbers, &poses)?;
    let mut damping = DAMPING;
    for _ in 0..STEPS_MAX {
        let before: f64 = blocks.iter().map(|block| block.squares).sum();
        let Some((step, pose_steps)) = step(&blocks, damping) else {
            damping *= 10.0;
            continue;
        };
        let moved_numbers = numbers + step;
        let moved_poses: Vec<Pose> =
            poses.iter().zip(&pose_steps).map(|(pose, step)| moved(pose, step)).collect();
        // A step that leads to no camera is a bad one, too.
        let better = equations(views, board, &moved_numbers, &moved_poses)
            .filter(|blocks| blocks.iter().map(|block| block.squares).sum::<f64>() <= before);
        if let Some(better) = better {
            let after: f64 = better.iter().map(|block| block.squares).sum();
            (numbers, poses, blocks) = (moved_numbers, moved_poses, better);
            damping = (damping / 10.0).max(f64::MIN_POSITIVE);
            if before - after <= GAIN_MIN * before {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > DAMPING_MAX {
                break;
            }
        }
    }
    let mean = |squares: f64, corners: usize| (squares / corners as f64).sqrt();
    let views: Vec<ViewFit> = blocks
        .iter()
        .zip(&poses)
        .map(|(block, pose)| ViewFit {
            rms_pixels: mean(block.squares, board.len()),
            rotation: [0, 1, 2].map(|row| [0, 1, 2].map(|column| pose.rotation[(row, column)])),
            place: pose.place.data.0[0],
        })
        .collect();
    let squares = blocks.iter().map(|block| block.squares).sum();
    Some(Calibration {
        focal: [numbers[0], numbers[1]],
        centre: [numbers[2], numbers[3]],
        lens: lens(&numbers),
        rms_pixels: mean(squares, board.len() * views.len()),
        views,
    })
}

fn lens(numbers: &Intrinsics) -> Lens {
    Lens { k1: numbers[4], k2: numbers[5], p1: numbers[6], p2: numbers[7], k3: numbers[8] }
}

fn moved(pose: &Pose, step: &SVector<f64, POSE>) -> Pose {
    let turn = Rotation3::new(Vector3::new(step[0], step[1], step[2]));
    Pose { rotation: turn * pose.rotation, place: pose.place + Vector3::new(step[3], step[4], step[5]) }
}

/// The step of the camera and of each pose.
fn step(blocks: &[Block], damping: f64) -> Option<(Intrinsics, Vec<SVector<f64, POSE>>)> {
    let mut matrix = SMatrix::<f64, INTRINSICS, INTRINSICS>::zeros();
    for block in blocks {
        matrix += block.camera;
    }
    damp(&mut matrix, damping);
    let mut side = Intrinsics::zeros();
    let mut inverses = Vec::with_capacity(blocks.len());
    for block in blocks {
        let mut pose = block.pose;
        damp(&mut pose, damping);
        let inverse = pose.try_inverse()?;
        matrix -= block.mixed * inverse * block.mixed.transpose();
        side += block.camera_side - block.mixed * (inverse * block.pose_side);
        inverses.push(inverse);
    }
    let camera = matrix.lu().solve(&side)?;
    let poses = blocks
        .iter()
        .zip(inverses)
        .map(|(block, inverse)| inverse * (block.pose_side - block.mixed.transpose() * camera))
        .collect();
    camera.iter().all(|number| number.is_finite()).then_some((camera, poses))
}

/// Marquardt's scaling: each number by its own curvature, so that pixels and radians are damped alike.
fn damp<const N: usize>(matrix: &mut SMatrix<f64, N, N>, damping: f64) {
    for place in 0..N {
        matrix[(place, place)] *= 1.0 + damping;
    }
}

/// The equations of all pictures. `None` where the camera is none, or a board is behind it.
fn equations(
    views: &[Vec<[f64; 2]>],
    board: &[[f64; 2]],
    numbers: &Intrinsics,
    poses: &[Pose],
) -> Option<Vec<Block>> {
    views.iter().zip(poses).map(|(corners, pose)| block(corners, board, numbers, pose)).collect()
}

fn block(corners: &[[f64; 2]], board: &[[f64; 2]], numbers: &Intrinsics, pose: &Pose) -> Option<Block> {
    let mut block = Block {
        camera: SMatrix::zeros(),
        mixed: SMatrix::zeros(),
        pose: SMatrix::zeros(),
        camera_side: SVector::zeros(),
        pose_side: SVector::zeros(),
        squares: 0.0,
    };
    let lens = lens(numbers);
    for (corner, flat) in corners.iter().zip(board) {
        let turned = pose.rotation * Vector3::new(flat[0], flat[1], 0.0);
        let point = turned + pose.place;
        if point.z <= 0.0 {
            return None;
        }
        let (x, y) = (point.x / point.z, point.y / point.z);
        let (seen, by_direction) = lens.distort_with_jacobian([x, y]);
        let by_lens = Lens::jacobian_of_coefficients([x, y]);
        for axis in 0..2 {
            let focal = numbers[axis];
            let miss = corner[axis] - (focal * seen[axis] + numbers[2 + axis]);
            let mut camera = Intrinsics::zeros();
            camera[axis] = seen[axis];
            camera[2 + axis] = 1.0;
            for (place, change) in by_lens[axis].iter().enumerate() {
                camera[4 + place] = focal * change;
            }
            // How the pixel moves with the point, then how the point moves with a turn and a shift of the board.
            let [by_x, by_y] = by_direction[axis];
            let by_point = Vector3::new(by_x, by_y, -(by_x * x + by_y * y)) * (focal / point.z);
            let by_turn = turned.cross(&by_point);
            let pose = SVector::from([by_turn.x, by_turn.y, by_turn.z, by_point.x, by_point.y, by_point.z]);
            block.camera += camera * camera.transpose();
            block.mixed += camera * pose.transpose();
            block.pose += pose * pose.transpose();
            block.camera_side += camera * miss;
            block.pose_side += pose * miss;
            block.squares += miss * miss;
        }
    }
    block.squares.is_finite().then_some(block)
}
