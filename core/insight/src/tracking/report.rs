//! What people ask of a tracker, in one value that serialises to JSON.

use serde::{Deserialize, Serialize};

use super::clear::{Clear, Follower};
use super::frames::Frames;
use super::hota::{AGREEMENTS, Hota, Pairs};
use super::identity::Identity;
use super::{Sequence, TrackingError, TrackingErrorKind};
use crate::report::UndefinedMetric;

/// The version of the JSON form.
pub const TRACKING_REPORT_VERSION: u32 = 1;

/// How good tracks are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackingReport {
    /// [`TRACKING_REPORT_VERSION`].
    pub version: u32,
    /// The figures of all sequences, from the sums of their counts.
    pub overall: Figures,
    /// One for each sequence, in their order.
    pub sequences: Vec<SequenceReport>,
    /// What is null in `overall`, and why.
    pub undefined: Vec<UndefinedMetric>,
}

/// How good the tracks of one sequence are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceReport {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub figures: Figures,
}

/// The figures of one sequence, or of several.
///
/// Those from `mota` to `mostly_lost` are of CLEAR MOT, at an agreement of [`AGREEMENT_MIN`](super::AGREEMENT_MIN).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How many frames have a box, drawn or found.
    pub frames: u64,
    /// How many boxes were drawn.
    pub truths: u64,
    /// How many boxes the tracker answered.
    pub hypotheses: u64,
    /// How many ids the truths have.
    pub objects: u64,
    /// How many ids the hypotheses have.
    pub tracks: u64,
    /// `1 - (misses + false positives + switches) / truths`, at most 1; null without truths.
    pub mota: Option<f64>,
    /// The mean over boxes that were found of `1 - agreement`, as py-motmetrics has it: 0 is best. Null if none was found.
    pub motp_distance: Option<f64>,
    /// The mean over boxes that were found of the agreement: 1 is best. Null if none was found.
    pub motp_agreement: Option<f64>,
    /// The share of hypotheses that are right; null if there are none.
    pub precision: Option<f64>,
    /// The share of truths that were found; null if there are none.
    pub recall: Option<f64>,
    /// How often an object was found as another track than when it was last found.
    pub switches: u64,
    /// Hypotheses where nothing was drawn.
    pub false_positives: u64,
    /// Truths that were not found.
    pub misses: u64,
    /// How often an object was lost for a while and then found again.
    pub fragmentations: u64,
    /// Objects that were found in at least 80 % of their frames.
    pub mostly_tracked: u64,
    /// Objects in between.
    pub partly_tracked: u64,
    /// Objects that were found in less than 20 % of their frames.
    pub mostly_lost: u64,
    /// The share of boxes, drawn and answered, that are right when each object is one track; null without boxes.
    pub idf1: Option<f64>,
    /// The share of hypotheses that are right then; null if there are none.
    pub idp: Option<f64>,
    /// The share of truths that are found then; null if there are none.
    pub idr: Option<f64>,
    /// The mean over agreements of the root of DetA times AssA; null without boxes.
    pub hota: Option<f64>,
    /// The mean over agreements of how well boxes are found: hits over hits, misses and false positives.
    pub deta: Option<f64>,
    /// The mean over agreements of how well hits are associated: for each, the share of the frames of its object or its track
    /// in which both are matched.
    pub assa: Option<f64>,
    /// The mean over agreements of how much hits agree, where an agreement without a hit counts as 1, as in TrackEval; null
    /// without any hit.
    pub loca: Option<f64>,
}

impl TrackingReport {
    /// Evaluates what a tracker answered for some sequences against what was drawn.
    ///
    /// # Errors
    /// [`TrackingError`]: columns that do not fit together, an id that is twice in a frame, boxes that are no numbers, more of
    /// anything than there may be.
    pub fn new(sequences: &[Sequence<'_>]) -> Result<TrackingReport, TrackingError> {
        let mut overall = Tally::default();
        let mut reports = Vec::new();
        for sequence in sequences {
            let name = sequence.name.to_owned();
            match Tally::new(sequence) {
                Ok(tally) => {
                    overall.add(&tally);
                    reports.push(SequenceReport { name, figures: tally.figures() });
                }
                Err(kind) => return Err(TrackingError { sequence: name, kind }),
            }
        }
        let overall = overall.figures();
        Ok(TrackingReport {
            version: TRACKING_REPORT_VERSION,
            undefined: overall.lacking(),
            overall,
            sequences: reports,
        })
    }
}

impl Figures {
    /// What is null, and why.
    fn lacking(&self) -> Vec<UndefinedMetric> {
        const NO_TRUTH: &str = "no box was drawn; choose sequences with truths";
        const NO_HYPOTHESIS: &str = "the tracker answered no box";
        const NO_BOX: &str = "no box was drawn, and the tracker answered none";
        const NOT_FOUND: &str = "none of the boxes that were drawn was found";
        let metrics = [
            ("mota", self.mota, NO_TRUTH),
            ("motp_distance", self.motp_distance, NOT_FOUND),
            ("motp_agreement", self.motp_agreement, NOT_FOUND),
            ("precision", self.precision, NO_HYPOTHESIS),
            ("recall", self.recall, NO_TRUTH),
            ("idf1", self.idf1, NO_BOX),
            ("idp", self.idp, NO_HYPOTHESIS),
            ("idr", self.idr, NO_TRUTH),
            ("hota", self.hota, NO_BOX),
            ("deta", self.deta, NO_BOX),
            ("assa", self.assa, NO_BOX),
            ("loca", self.loca, NOT_FOUND),
        ];
        let lacking = metrics.into_iter().filter(|(_, figure, _)| figure.is_none());
        lacking
            .map(|(metric, _, reason)| UndefinedMetric {
                metric: metric.to_owned(),
                reason: reason.to_owned(),
            })
            .collect()
    }
}

/// All counts of one sequence, or of several.
#[derive(Default)]
struct Tally {
    frames: u64,
    objects: u64,
    tracks: u64,
    clear: Clear,
    identity: Identity,
    hota: Hota,
}

impl Tally {
    fn new(sequence: &Sequence<'_>) -> Result<Tally, TrackingErrorKind> {
        let frames = Frames::new(sequence)?;
        let mut follower = Follower::new(&frames);
        let mut pairs = Pairs::default();
        for frame in &frames.frames {
            let agreements = frames.agreements(frame);
            follower.follow(&frames, frame, &agreements);
            pairs.add(&frames, frame, &agreements);
        }
        Ok(Tally {
            frames: frames.frames.len() as u64,
            objects: frames.truths.appearances.len() as u64,
            tracks: frames.hypotheses.appearances.len() as u64,
            clear: follower.finish(&frames),
            identity: Identity::new(&frames, pairs.together()),
            hota: pairs.hota(&frames),
        })
    }

    fn add(&mut self, other: &Tally) {
        self.frames += other.frames;
        self.objects += other.objects;
        self.tracks += other.tracks;
        self.clear += &other.clear;
        self.identity += &other.identity;
        self.hota += &other.hota;
    }

    fn figures(&self) -> Figures {
        let Tally { frames, objects, tracks, clear, identity, hota } = self;
        let Identity { hits, truths, hypotheses } = *identity;
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let wrong = clear.misses + clear.false_positives + clear.switches;
        let motp = (clear.found > 0).then(|| clear.distance / clear.found as f64);
        let mean =
            |figure: usize| (0..AGREEMENTS).map(|n| hota.at(n)[figure]).sum::<f64>() / AGREEMENTS as f64;
        let any = truths + hypotheses > 0;
        Figures {
            frames: *frames,
            truths,
            hypotheses,
            objects: *objects,
            tracks: *tracks,
            mota: ratio(wrong, truths).map(|wrong| 1.0 - wrong),
            motp_distance: motp,
            motp_agreement: motp.map(|distance| 1.0 - distance),
            precision: ratio(clear.found, hypotheses),
            recall: ratio(clear.found, truths),
            switches: clear.switches,
            false_positives: clear.false_positives,
            misses: clear.misses,
            fragmentations: clear.fragmentations,
            mostly_tracked: clear.mostly_tracked,
            partly_tracked: clear.partly_tracked,
            mostly_lost: clear.mostly_lost,
            idf1: ratio(2 * hits, truths + hypotheses),
            idp: ratio(hits, hypotheses),
            idr: ratio(hits, truths),
            hota: any.then(|| mean(3)),
            deta: any.then(|| mean(0)),
            assa: any.then(|| mean(1)),
            loca: (hota.hits[0] > 0).then(|| mean(2)),
        }
    }
}
