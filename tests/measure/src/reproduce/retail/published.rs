//! What was published about the sets, on the same split with full ranking. Sources: the data notes; each row names its own.

/// A published model with HR@5, NDCG@5, HR@10, NDCG@10, where they were published.
pub(super) struct Published {
    pub(super) model: &'static str,
    pub(super) figures: [Option<f64>; 4],
}

const fn all(model: &'static str, [a, b, c, d]: [f64; 4]) -> Published {
    Published { model, figures: [Some(a), Some(b), Some(c), Some(d)] }
}

const fn at_10(model: &'static str, [hit_rate, ndcg]: [f64; 2]) -> Published {
    Published { model, figures: [None, None, Some(hit_rate), Some(ndcg)] }
}

/// A public set of purchase sequences.
pub(super) struct Set {
    /// Name in figures, and directory of its files.
    pub(super) name: &'static str,
    pub(super) customers: u64,
    pub(super) purchases: u64,
    pub(super) published: &'static [Published],
}

/// The sets, as S3-Rec (Zhou et al., CIKM 2020) cut them from the Amazon reviews of McAuley et al.
pub(super) const SETS: [Set; 3] = [
    Set {
        name: "beauty",
        customers: 22_363,
        purchases: 198_502,
        published: &[
            all("SASRec (S3-Rec's table)", [0.0387, 0.0249, 0.0605, 0.0318]),
            all("S3-Rec", [0.0387, 0.0244, 0.0647, 0.0327]),
            all("TIGER (arXiv 2305.05065)", [0.0454, 0.0321, 0.0648, 0.0384]),
            all("SASRec, full softmax (independent)", [0.0635, 0.0454, 0.0897, 0.0539]),
            at_10("eSASRec (RecSys 2025)", [0.0921, 0.0531]),
            all("BSARec (AAAI 2024)", [0.0736, 0.0523, 0.1008, 0.0611]),
        ],
    },
    Set {
        name: "sports",
        customers: 35_598,
        purchases: 296_337,
        published: &[
            all("SASRec (S3-Rec's table)", [0.0233, 0.0154, 0.0350, 0.0192]),
            all("S3-Rec", [0.0251, 0.0161, 0.0385, 0.0204]),
            all("TIGER (arXiv 2305.05065)", [0.0264, 0.0181, 0.0400, 0.0225]),
            at_10("eSASRec (RecSys 2025)", [0.0569, 0.0314]),
        ],
    },
    Set {
        name: "toys",
        customers: 19_412,
        purchases: 167_597,
        published: &[
            all("SASRec (S3-Rec's table)", [0.0463, 0.0306, 0.0675, 0.0374]),
            all("S3-Rec", [0.0443, 0.0294, 0.0700, 0.0376]),
            all("TIGER (arXiv 2305.05065)", [0.0521, 0.0371, 0.0712, 0.0432]),
            at_10("eSASRec (RecSys 2025)", [0.0970, 0.0580]),
        ],
    },
];

/// A published way to forecast the car parts, and its mean MASE (Monash archive, rounded forecasts, last 12 months).
pub(super) const CAR_PARTS_MASE: [(&str, f64); 6] = [
    ("simple exponential smoothing", 0.897),
    ("Theta", 0.914),
    ("ARIMA", 0.926),
    ("DeepAR", 0.747),
    ("Transformer", 0.746),
    ("always zero", 0.746),
];
