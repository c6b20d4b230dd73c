import { html, join, raw, type SafeHtml } from './html/escape';
import { renderIssueBody } from './html/issue-body';
import { style } from './html/style';
import { renderTimeline, type Timeline, versionColors } from './html/timeline';

/** A page that shows what a set of transactions did: one self-contained file, no scripts, nothing loaded from elsewhere. */
export interface Page {
  title: string;
  /** The line above the headline. */
  kicker: string;
  ok: boolean;
  headline: string;
  summary: string;
  figures: { value: string; label: string }[];
  /** What a reader may conclude. */
  proofs: { title: string; text: string; ok: boolean }[];
  cards: Card[];
  footer: string;
}

export interface Card {
  /** Unique within the page; letters, digits and hyphens. */
  id: string;
  title: string;
  story: string;
  expected: string;
  outcome: string;
  ok: boolean;
  seconds: number;
  facts: { text: string; ok: boolean; found?: string }[];
  timeline: Timeline | null;
  issue: IssueView | null;
  /** What was printed, for a scenario that ended differently; shown folded. */
  log: string | null;
}

export interface IssueView {
  number: number;
  title: string;
  state: string;
  labels: string[];
  author: string;
  /** As a person reads it, for example `21 November 2026, 03:04 UTC`. */
  openedAt: string;
  comments: number;
  /** GitHub Markdown. */
  body: string;
}

/** Pure. Every text of the model is escaped. */
export function renderPage(page: Page): string {
  const colors = versionColors(page.cards.flatMap((card) => (card.timeline === null ? [] : [card.timeline])));
  return `<!doctype html>
${
  html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}</title>
<style>${raw(style)}</style>
</head>
<body>
<main>
${renderHead(page)}
${renderProofs(page)}
${renderOverview(page)}
${join(page.cards.map((card, index) => renderCard(card, index + 1, colors)))}
</main>
<footer>${page.footer}</footer>
</body>
</html>`.text
}
`;
}

function renderHead(page: Page): SafeHtml {
  return html`<header class="${page.ok ? 'good' : 'bad'}">
<p class="kicker">${page.kicker}</p>
<h1>${page.headline}</h1>
<p class="summary">${page.summary}</p>
<dl class="figures">${join(page.figures.map((figure) => html`<div><dd>${figure.value}</dd><dt>${figure.label}</dt></div>`))}</dl>
</header>`;
}

function renderProofs(page: Page): SafeHtml {
  return html`<section>
<h2>What this proves</h2>
<ul class="proofs">${join(
    page.proofs.map(
      (proof) => html`<li class="${proof.ok ? 'good' : 'bad'}">
<h3>${proof.title}${proof.ok ? raw('') : html` <em>not shown this time</em>`}</h3>
<p>${proof.text}</p></li>`,
    ),
  )}</ul>
</section>`;
}

function renderOverview(page: Page): SafeHtml {
  return html`<section>
<h2>The scenarios</h2>
<div class="scroll"><table class="overview">
<thead><tr><th>Scenario</th><th>Expected</th><th>Got</th><th class="number">Seconds</th><th></th></tr></thead>
<tbody>${join(
    page.cards.map(
      (card) => html`<tr>
<td><a href="#${card.id}">${card.title}</a></td>
<td><code>${card.expected}</code></td><td><code>${card.outcome}</code></td>
<td class="number">${card.seconds.toFixed(1)}</td>
<td>${status(card.ok)}</td></tr>`,
    ),
  )}</tbody>
</table></div>
</section>`;
}

function renderCard(card: Card, number: number, colors: ReadonlyMap<string, number>): SafeHtml {
  return html`<article id="${card.id}" class="card ${card.ok ? 'good' : 'bad'}">
<div class="card-head">
<div><p class="kicker">Scenario ${number}</p><h2>${card.title}</h2></div>
<p class="result"><code>${card.outcome}</code>${status(card.ok)}</p>
</div>
<p class="story">${card.story}</p>
${card.ok ? raw('') : html`<p class="differs">Expected <code>${card.expected}</code>, got <code>${card.outcome}</code>.</p>`}
${card.timeline === null ? raw('') : renderTimeline(card.timeline, colors)}
<ul class="facts">${join(card.facts.map(renderFact))}</ul>
${card.issue === null ? raw('') : renderIssue(card.issue)}
${card.log === null ? raw('') : html`<details><summary>What was printed</summary><pre>${card.log}</pre></details>`}
</article>`;
}

function renderFact(fact: Card['facts'][number]): SafeHtml {
  const found = fact.ok || fact.found === undefined ? raw('') : html`<span class="found">Found: ${fact.found}</span>`;
  return html`<li class="${fact.ok ? 'good' : 'bad'}">${fact.ok ? raw('') : html`<strong>Not so:</strong> `}${fact.text}${found}</li>`;
}

function renderIssue(issue: IssueView): SafeHtml {
  return html`<section class="issue">
<p class="kicker">The incident as it was opened</p>
<h3>${issue.title} <span class="issue-number">#${issue.number}</span></h3>
<p class="issue-meta"><span class="pill">${issue.state}</span> opened by ${issue.author} on ${issue.openedAt} · ${
    issue.comments === 1 ? '1 comment' : `${issue.comments} comments`
  }</p>
<p class="labels">${join(issue.labels.map((label) => html`<span class="label">${label}</span> `))}</p>
<div class="issue-body">${renderIssueBody(issue.body)}</div>
</section>`;
}

function status(ok: boolean): SafeHtml {
  return ok ? html`<span class="status good">as expected</span>` : html`<span class="status bad">different</span>`;
}
