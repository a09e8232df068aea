//! The page: sections for tables, charts, configuration and rollouts, with style, script and data inside.

use super::bars::draw_bars;
use super::embed::{data_address, script_json};
use super::plot::{draw, short};
use super::{RunFiles, curves, shapes};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of `runs` with at most `limit` rollouts of each.
pub fn page(runs: &[RunFiles], limit: usize) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let data = data(runs, limit);
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { "Novice: " (names.join(", ")) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (names.join(" · ")) }
                    nav aria-label="Sections" {
                        @for (id, title) in [("tables", "Tables"), ("charts", "Charts"), ("training", "Training"), ("rollouts", "Rollouts"), ("configuration", "Configuration")] {
                            a href=(format!("#{id}")) { (title) }
                        }
                    }
                    button #theme type="button" title="Switch colours (t)" { "Light / dark" }
                    button #help type="button" title="Keys (?)" { "Keys" }
                }
                main {
                    section #tables { h2 { "Evaluation" } @if let Some(all) = side_by_side(runs) { (evaluation(&all)) } @for run in runs { (evaluation(run)) } }
                    section #charts { h2 { "Beside real students" } (beside_students(runs)) }
                    section #training {
                        h2 { "Training" }
                        @let stages = curves::training(runs);
                        @if stages.is_empty() { p.missing { "No metrics: " code { "novice train" } " writes them." } }
                        @for (_, of_stage) in &stages { (charts(&of_stage.iter().filter_map(draw).collect::<Vec<_>>(), "")) }
                    }
                    section #rollouts { h2 { "Rollouts" } div #viewer { noscript { "The viewer needs JavaScript." } } }
                    section #configuration { h2 { "Configuration" } (configuration(runs)) }
                }
                dialog #keys aria-label="Keys" {
                    h2 { "Keys" }
                    dl {
                        @for (key, does) in [("j or →", "next rollout"), ("k or ←", "previous rollout"), ("/", "filter"), ("t", "light or dark"), ("?", "this list"), ("Esc", "close; leave the filter")] {
                            dt { kbd { (key) } } dd { (does) }
                        }
                    }
                    form method="dialog" { button { "Close" } }
                }
                script #data type="application/json" { (PreEscaped(script_json(&data))) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// The charts of evaluation.
fn beside_students(runs: &[RunFiles]) -> Markup {
    let mut lines = curves::evaluation(runs);
    lines.extend(shapes::by_step(runs));
    let drawn: Vec<Markup> = lines.iter().filter_map(draw).chain(draw_bars(&shapes::edits(runs))).collect();
    charts(
        &drawn,
        "bands: ±1.96 standard errors over students; a learner who has stopped keeps its grade, except in the two charts as published",
    )
}

fn charts(drawn: &[Markup], note: &str) -> Markup {
    html! {
        @if drawn.is_empty() {
            p.missing { "Nothing to draw: " code { "novice evaluate RUN" } " makes what is shown here." }
        } @else {
            div.charts { @for chart in drawn { (chart) } }
            @if !note.is_empty() { p.note { (note) } }
        }
    }
}

fn field<'a>(line: &'a Value, name: &str) -> &'a str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Different values of `of`, in the order in which they come.
fn distinct<'a>(lines: &[&'a Value], name: &str) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for line in lines {
        let value = field(line, name);
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// Models before the policies that are none.
fn models_first(mut policies: Vec<&str>) -> Vec<&str> {
    policies.sort_by_key(|policy| curves::is_left_out(policy) || curves::is_copy(policy));
    policies
}

/// The models of all runs in one table, each named with its run; nothing for one run.
fn side_by_side(runs: &[RunFiles]) -> Option<RunFiles> {
    let lines = |run: &RunFiles| -> Vec<Value> {
        let all = run.table.iter().filter_map(|t| t.get("lines")?.as_array()).flatten();
        let models = all.filter(|line| !curves::is_left_out(field(line, "policy")));
        let named = models.cloned().map(|mut line| {
            let name = curves::named(run, field(&line, "policy"));
            if let Some(fields) = line.as_object_mut() {
                fields.insert("policy".into(), name.into());
                // Marks are of differences within a run.
                fields.remove("p_holm");
            }
            line
        });
        named.collect()
    };
    let all: Vec<Value> = runs.iter().flat_map(lines).collect();
    let table = Some(json!({ "lines": all }));
    (runs.len() > 1 && !all.is_empty()).then(|| RunFiles {
        name: "Runs side by side".into(),
        table,
        ..RunFiles::default()
    })
}

/// The tables of a run, one a split and protocol: a row a statistic, a column a policy.
fn evaluation(run: &RunFiles) -> Markup {
    let lines: Vec<&Value> = run.table.iter().filter_map(|t| t.get("lines")?.as_array()).flatten().collect();
    html! {
        h3 { (run.name) }
        @if lines.is_empty() {
            p.missing { "Not evaluated yet: " code { "novice evaluate" } " on this run's folder writes the tables." }
        }
        p.downloads {
            @for (ending, text) in &run.downloads {
                a download=(format!("{}.{ending}", run.name)) href=(data_address(media_type(ending), text)) { (ending.to_uppercase()) }
            }
        }
        @for split in distinct(&lines, "split") {
            @for protocol in distinct(&lines, "protocol") {
                @let here: Vec<&Value> = lines.iter().copied().filter(|l| field(l, "split") == split && field(l, "protocol") == protocol).collect();
                // A statistic that no policy has a value of is none of this evaluation's.
                @let told: Vec<&Value> = here.iter().copied().filter(|l| l.get("value").is_some_and(Value::is_number)).collect();
                @let policies = models_first(distinct(&here, "policy"));
                @if !here.is_empty() {
                    div.wide tabindex="0" role="region" aria-label=(format!("{split}, {protocol} protocol")) {
                        table {
                            caption { (split) " · " (protocol) " protocol" }
                            thead { tr { th scope="col" { "statistic" } @for policy in &policies { th scope="col" { (policy.replace('_', " ")) } } } }
                            tbody {
                                @for statistic in distinct(&told, "statistic") {
                                    tr {
                                        th scope="row" { (statistic.replace('_', " ")) }
                                        @for policy in &policies {
                                            (cell(here.iter().copied().find(|l| field(l, "policy") == *policy && field(l, "statistic") == statistic)))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if let Some(table) = &run.table {
            p.note {
                "Below each number its interval over students"
                @if let Some(confidence) = table.get("confidence").and_then(Value::as_f64) { " (" (short(100.0 * confidence)) " %)" }
                @if let Some(reference) = table.get("reference").and_then(Value::as_str) { "; * differs from " (reference) " (p < 0.05 after Holm's correction)" }
                "."
            }
        }
    }
}

fn cell(line: Option<&Value>) -> Markup {
    let number = |name: &str| line.and_then(|l| l.get(name)?.as_f64());
    html! {
        td {
            @match number("value") {
                Some(value) => { (format!("{value:.3}")) @if number("p_holm").is_some_and(|p| p < 0.05) { "*" } },
                None => "–",
            }
            @if let (Some(low), Some(high)) = (number("low"), number("high")) { small { (format!("{low:.3}–{high:.3}")) } }
        }
    }
}

fn media_type(ending: &str) -> &'static str {
    match ending {
        "csv" => "text/csv",
        "md" => "text/markdown",
        _ => "text/plain",
    }
}

/// The first run's configuration, and of each other run the lines that differ from it.
fn configuration(runs: &[RunFiles]) -> Markup {
    let paths = |run: &RunFiles| flatten(&run.config);
    let first = runs.first().map(paths).unwrap_or_default();
    html! {
        @for run in runs.iter().skip(1) {
            @let other = paths(run);
            h3 { (run.name) " differs from " (runs.first().map_or("", |r| r.name.as_str())) }
            div.wide tabindex="0" role="region" aria-label="Differences" {
                table.differences {
                    thead { tr { th scope="col" { "field" } @for r in [runs.first(), Some(run)].into_iter().flatten() { th scope="col" { (r.name) } } } }
                    tbody {
                        @let keys: std::collections::BTreeSet<&String> = first.keys().chain(other.keys()).collect();
                        @for key in keys.into_iter().filter(|key| first.get(*key) != other.get(*key)) {
                            tr { th scope="row" { (key) } @for side in [&first, &other] { td { (side.get(key).map_or("–", String::as_str)) } } }
                        }
                    }
                }
            }
        }
        @for run in runs { details { summary { (run.name) ": the whole configuration" } pre { (run.config) } } }
    }
}

/// Fields of a YAML document by their dotted paths.
fn flatten(yaml: &str) -> std::collections::BTreeMap<String, String> {
    fn walk(value: &Value, path: String, into: &mut std::collections::BTreeMap<String, String>) {
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (name, field) in fields {
                    walk(field, if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, into);
                }
            }
            Value::String(text) => {
                into.insert(path, text.clone());
            }
            other => {
                into.insert(path, other.to_string());
            }
        }
    }
    let mut fields = std::collections::BTreeMap::new();
    if let Ok(value) = serde_saphyr::from_str::<Value>(yaml) {
        walk(&value, String::new(), &mut fields);
    }
    fields
}

/// At most `limit` of `lines`, evenly spread, in their order.
fn spread(lines: &[Value], limit: usize) -> Vec<&Value> {
    let count = lines.len().min(limit);
    (0..count).filter_map(|i| lines.get(i * lines.len() / count)).collect()
}

/// What the viewer shows.
fn data(runs: &[RunFiles], limit: usize) -> Value {
    let of_run = |run: &RunFiles| {
        let trained = limit.min(run.trained.len()).min((limit / 2).max(limit.saturating_sub(run.evaluated.len())));
        let mut rollouts = spread(&run.evaluated, limit - trained);
        rollouts.extend(spread(&run.trained, trained));
        let students: Vec<&Value> = run
            .students
            .iter()
            .filter(|s| {
                rollouts
                    .iter()
                    .any(|r| field(r, "student") == field(s, "student") && field(r, "problem") == field(s, "problem"))
            })
            .collect();
        json!({"name": run.name, "of": run.evaluated.len() + run.trained.len(), "rollouts": rollouts, "students": students})
    };
    json!({ "runs": runs.iter().map(of_run).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_anything_says_which_command_is_missing() {
        let page = page(&[RunFiles { name: "empty".into(), ..RunFiles::default() }], 10);
        assert!(page.contains("Not evaluated yet") && page.contains("novice train"), "{page}");
    }

    #[test]
    fn programs_and_names_are_escaped_and_rollouts_bounded() {
        let code = "</script><script>alert(1)</script><!--";
        let line = json!({"policy": "SFT", "student": "s", "problem": "p", "start": 1, "turns": [{"text": code, "grade": 5.0}]});
        let run = RunFiles { name: "<r>".into(), evaluated: vec![line; 30], ..RunFiles::default() };
        let page = page(&[run], 7);
        assert_eq!(page.matches("</script>").count(), 2, "the page's own two");
        assert!(!page.contains("<r>") && page.contains("&lt;r&gt;"));
        assert!(page.contains("\"of\":30") && page.matches("alert(1)").count() == 7);
        assert!(!page.contains("http://") && !page.contains("https://"), "nothing of a network");
    }

    #[test]
    fn models_of_several_runs_share_a_table() {
        let line = json!({"policy": "SFT", "split": "s", "protocol": "corrected", "statistic": "solved", "value": 0.123_456_789});
        let run =
            |name: &str| RunFiles { name: name.into(), table: Some(json!({"lines": [line]})), ..RunFiles::default() };
        assert!(side_by_side(&[run("one")]).is_none());
        let text = evaluation(&side_by_side(&[run("one"), run("two")]).unwrap()).into_string();
        assert!(text.contains("one · SFT</th>") && text.contains("two · SFT</th>"), "{text}");
        assert_eq!(text.matches("<td>0.123</td>").count(), 2, "{text}");
        assert_eq!(models_first(vec!["COPY", "SFT"]), ["SFT", "COPY"]);
    }

    #[test]
    fn differences_are_of_fields() {
        let fields = flatten("a: 1\nb: {c: x, d: [1, 2]}\n");
        let pairs: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b.c", "x"), ("b.d", "[1,2]")]);
        let run =
            |name: &str, config: &str| RunFiles { name: name.into(), config: config.into(), ..RunFiles::default() };
        let text = configuration(&[run("one", "a: 1\nb: 2\n"), run("two", "a: 1\nb: 3\n")]).into_string();
        assert!(text.contains("<th scope=\"row\">b</th><td>2</td><td>3</td>"), "{text}");
        assert!(!text.contains("<th scope=\"row\">a</th>"), "{text}");
    }
}
