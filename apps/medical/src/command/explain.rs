//! `foretell-medical explain`

use foretell_insight::explanation::{
    self, ExplanationError, Faithfulness, HeatMap, Occlusion, Perturbation, faithfulness, occlusion,
};
use foretell_jobs::{ImageProbe, ProbeError};
use foretell_runtime::plugin::Plugin;
use foretell_terminal::{Bar, Failure, Json, Output, Place, check_absent, exit, save};
use serde::Serialize;

use crate::arguments::{self, Method, Scale};
use crate::card::{self, Card, Heat, Opinion};
use crate::{NOTICE, finding, locate};

/// So many images are asked about together at most: more gain nothing, and the bar would stand still.
const IMAGES_AT_ONCE_MAX: usize = 16;

/// What is printed for programs.
#[derive(Serialize)]
struct Report<'r> {
    notice: &'static str,
    record: i64,
    image: &'r str,
    plugin: &'r str,
    models: Vec<Model<'r>>,
    /// What the plugin says of the image as it is.
    score: Option<f64>,
    label: &'r Option<String>,
    novelty: Option<f64>,
    novelty_limit: Option<f64>,
    unfamiliar: Option<bool>,
    /// The class whose score is explained.
    class: &'r str,
    settings: Settings,
    maps: Vec<Map<'r>>,
}

#[derive(Serialize)]
struct Model<'r> {
    name: &'r str,
    blake3: &'r str,
}

#[derive(Clone, Copy, Serialize)]
struct Settings {
    patch_pixels: usize,
    stride_pixels: usize,
    hidden_by: explanation::Baseline,
    scale: Scale,
    seed: u64,
}

#[derive(Serialize)]
struct Map<'r> {
    method: &'r str,
    unit: &'r str,
    height: usize,
    width: usize,
    /// Row by row.
    values: Json,
    better_than_random: Option<bool>,
    #[serde(flatten)]
    faithfulness: Option<&'r Faithfulness>,
}

pub(super) async fn run(place: &Place, output: Output, command: &arguments::Explain) -> Result<u8, Failure> {
    for file in command.png.iter().chain(&command.html) {
        check_absent(file, command.force)?;
    }
    let store = place.create_or_open().await?;
    let record = locate::stored_or_imported(place, &store, output, &command.target).await?;
    let wanted = command.model.plugins();
    let plugin = place.plugin(&place.runtime()?, wanted.first().copied().unwrap_or_default(), None)?;
    let probe = ImageProbe::load(&store, &plugin, record.id).await.map_err(|error| failure(&error))?;
    let mut card = finding::card(&store, &record).await?;
    let work = Work::new(&plugin, &probe, command, output)?;
    let mut opinion = work.opinion.clone();
    let method = match command.method {
        Method::Both if !plugin.has_attention() => {
            tracing::warn!(
                "{} does not say where in an image it looked: there is no map of that",
                plugin.name()
            );
            Method::Occlusion
        }
        method => method,
    };
    opinion.heats = work.heats(&card, method)?;
    card.opinions = vec![opinion];
    if let Some(file) = &command.png {
        save(file, &card::png::draw(&card).map_err(|error| Failure::new(&error))?, command.force)?;
    }
    if let Some(file) = &command.html {
        save(file, card::html::page(&card).map_err(|error| Failure::new(&error))?.as_bytes(), command.force)?;
    }
    output.show(&report(&card, &work), |output| {
        output.line(&card::terminal::text(&card));
        for file in command.png.iter().chain(&command.html) {
            output.line(&format!("wrote {}", file.display()));
        }
    });
    Ok(exit::DONE)
}

fn failure(error: &ProbeError) -> Failure {
    Failure::new(error).hint(error.hint())
}

fn explanation_failure(error: &ExplanationError) -> Failure {
    Failure::new(error)
}

/// The question: of which class, how, and what the plugin says without any of it hidden.
struct Work<'w> {
    probe: &'w ImageProbe<'w>,
    opinion: Opinion,
    label: String,
    class: usize,
    settings: Settings,
    output: Output,
}

impl<'w> Work<'w> {
    fn new(
        plugin: &Plugin,
        probe: &'w ImageProbe<'w>,
        command: &arguments::Explain,
        output: Output,
    ) -> Result<Self, Failure> {
        let said = probe.answer().map_err(|error| failure(&error))?;
        let opinion =
            Opinion::read(plugin.manifest(), said.score, said.label.as_deref(), said.output.as_deref());
        let opinion =
            opinion.map_err(|what| Failure::words(format!("the prediction of {} {what}", plugin.name())))?;
        let opinion = opinion.of_plugin(plugin);
        let label = command.class.clone().or(opinion.decision.clone()).unwrap_or_default();
        let class = probe.class(&label).map_err(|error| failure(&error))?;
        let settings = Settings {
            patch_pixels: command.patch,
            stride_pixels: command.stride,
            hidden_by: command.hide.into(),
            scale: command.scale,
            seed: command.seed,
        };
        Ok(Self { probe, opinion, label, class, settings, output })
    }

    /// The maps that were asked for, each tried out.
    fn heats(&self, card: &Card, method: Method) -> Result<Vec<Heat>, Failure> {
        let mut heats = Vec::new();
        if method.hides() {
            heats.push(self.occlusion(card)?);
        }
        if method.asks() {
            heats.push(self.activation(card)?);
        }
        Ok(heats)
    }

    fn occlusion(&self, card: &Card) -> Result<Heat, Failure> {
        let Settings { patch_pixels: patch, stride_pixels: stride, hidden_by: baseline, .. } = self.settings;
        let settings = Occlusion { patch, stride, baseline, batch: self.images_at_once() };
        let image = self.probe.image().map_err(|error| explanation_failure(&error))?;
        let predictions = settings.predictions(&image).map_err(|error| explanation_failure(&error))?;
        let bar = self.bar("occlusion", predictions);
        let found = occlusion(&image, &settings, self.predict(&bar)).map_err(|error| failure(&error))?;
        bar.finish();
        let of = match self.settings.scale {
            Scale::Probability => "probability",
            Scale::LogOdds => "log odds",
        };
        let unit = format!("fall of the {of} when a square of {patch} pixels is hidden");
        self.heat(card, "occlusion", unit, &found.map, patch)
    }

    fn activation(&self, card: &Card) -> Result<Heat, Failure> {
        let coarse = self.probe.attention(self.class).map_err(|error| failure(&error))?;
        let image = self.probe.image().map_err(|error| explanation_failure(&error))?;
        let (height, width) = (image.height(), image.width());
        let map = coarse.resized(height, width).map_err(|error| explanation_failure(&error))?;
        // A random order takes squares as large as a place of the map.
        let cell = (height / coarse.height()).min(width / coarse.width()).max(1);
        let (across, down) = (coarse.width(), coarse.height());
        let unit = format!("how strongly each of {across} x {down} places of the network speaks for it");
        Ok(Heat { map: self.laid(card, &coarse)?, ..self.heat(card, "activation", unit, &map, cell)? })
    }

    /// A map of what the network sees, tried out, and laid over the picture of the card.
    fn heat(
        &self,
        card: &Card,
        method: &'static str,
        unit: String,
        map: &HeatMap,
        cell: usize,
    ) -> Result<Heat, Failure> {
        let Settings { hidden_by: baseline, seed, .. } = self.settings;
        let settings =
            Perturbation { baseline, cell, seed, batch: self.images_at_once(), ..Perturbation::default() };
        let image = self.probe.image().map_err(|error| explanation_failure(&error))?;
        let bar = self.bar("curves", settings.predictions().map_err(|error| explanation_failure(&error))?);
        let tried =
            faithfulness(&image, map, &settings, self.predict(&bar)).map_err(|error| failure(&error))?;
        bar.finish();
        Ok(Heat {
            method: method.to_owned(),
            label: self.label.clone(),
            map: self.laid(card, map)?,
            unit,
            faithfulness: Some(tried),
        })
    }

    /// A map of what the network sees as one of the picture on the card.
    fn laid(&self, card: &Card, map: &HeatMap) -> Result<HeatMap, Failure> {
        let Some(picture) = &card.picture else { return Ok(map.clone()) };
        self.probe
            .over_picture(map, picture.width, picture.height)
            .map_err(|error| explanation_failure(&error))
    }

    fn images_at_once(&self) -> usize {
        self.probe.images_at_once().min(IMAGES_AT_ONCE_MAX)
    }

    fn bar(&self, what: &'static str, predictions: usize) -> Bar {
        Bar::new(what, "predictions", Some(predictions as u64), self.output.is_json())
    }

    /// The model as explanations want it, on the scale that is explained.
    fn predict<'b>(
        &'b self,
        bar: &'b Bar,
    ) -> impl FnMut(explanation::Batch<'_>) -> Result<Vec<f32>, ProbeError> + use<'b, 'w> {
        let mut done = 0;
        move |copies| {
            let mut scores = self.probe.scores(copies, self.class)?;
            scores.iter_mut().for_each(|score| *score = self.settings.scale.of(*score));
            done += scores.len() as u64;
            bar.set(done);
            Ok(scores)
        }
    }
}

fn report<'r>(card: &'r Card, work: &'r Work<'_>) -> Report<'r> {
    let Some(opinion) = card.opinions.first() else { unreachable!("one plugin was asked") };
    let novelty = opinion.novelty.as_ref();
    let maps = opinion.heats.iter().map(|heat| Map {
        method: &heat.method,
        unit: &heat.unit,
        height: heat.map.height(),
        width: heat.map.width(),
        values: Json(serde_json::to_string(heat.map.values()).expect("a map has finite numbers")),
        better_than_random: heat.faithfulness.as_ref().map(Faithfulness::is_better_than_random),
        faithfulness: heat.faithfulness.as_ref(),
    });
    let models = opinion.models.iter().map(|(name, blake3)| Model { name, blake3 });
    Report {
        notice: NOTICE,
        record: card.record,
        image: &card.title,
        plugin: &opinion.plugin,
        models: models.collect(),
        score: opinion.leading().map(|(_, score)| score),
        label: &opinion.decision,
        novelty: novelty.map(|novelty| novelty.distance),
        novelty_limit: novelty.map(|novelty| novelty.limit),
        unfamiliar: novelty.map(|novelty| novelty.is_unfamiliar),
        class: &work.label,
        settings: work.settings,
        maps: maps.collect(),
    }
}
