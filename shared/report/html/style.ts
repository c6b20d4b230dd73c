/** The page's whole style sheet. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #f6f5f2; --card: #fff; --ink: #1d2127; --soft: #5b636e; --line: #e3e1db; --code: #efede8;
  --good: #1f7a4d; --good-tint: #e4f3ea; --bad: #b3362b; --bad-tint: #fbe9e6; --link: #2b5fa8;
  --bar: #d9dce1; --bar-ink: #3c434d; --own: #f0c77a; --own-ink: #4f3600; --silent: #a9aeb6;
  --v0: #cfe0f5; --v0i: #163a66; --v1: #c9e9e1; --v1i: #0d4a3f; --v2: #f6dcc0; --v2i: #6a3a06;
  --v3: #e0d6f4; --v3i: #3f2477; --v4: #dcebc3; --v4i: #36500f; --v5: #f6d3df; --v5i: #6f1c3b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1c2026; --ink: #e6e8eb; --soft: #9aa3ae; --line: #2e343c; --code: #262b32;
    --good: #6fce9c; --good-tint: #17322a; --bad: #f1897c; --bad-tint: #3b2020; --link: #8ab6f2;
    --bar: #3a414b; --bar-ink: #d4d9df; --own: #8a661f; --own-ink: #ffeccb; --silent: #5d6670;
    --v0: #274568; --v0i: #d7e7fb; --v1: #1f4d46; --v1i: #d0f1e9; --v2: #63421d; --v2i: #fbe6cd;
    --v3: #453672; --v3i: #e8defc; --v4: #3f5422; --v4i: #e4f3cb; --v5: #67304a; --v5i: #fbdbe6;
  }
}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 3.5rem 1.5rem 1rem }
h1, h2, h3, p, ul, dl, figure { margin: 0 }
h1 { font-size: clamp(1.75rem, 4.6vw, 2.75rem); line-height: 1.15; letter-spacing: -.02em; font-weight: 650; text-wrap: balance }
h2 { font-size: 1.3rem; line-height: 1.25; letter-spacing: -.01em; font-weight: 620 }
h3 { font-size: 1rem; font-weight: 620 }
a { color: inherit; text-decoration-color: var(--silent); text-underline-offset: 3px }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; font-size: .86em }
code { background: var(--code); border-radius: 4px; padding: .1em .35em; overflow-wrap: anywhere }
pre { background: var(--code); border-radius: 8px; padding: .8rem 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
.kicker { color: var(--soft); font-size: .8rem; letter-spacing: .02em }
header .kicker { margin-bottom: .6rem }
header h1::before { content: ""; display: block; width: 3rem; height: 4px; border-radius: 2px; margin-bottom: 1.1rem; background: var(--good) }
header.bad h1::before { background: var(--bad) }
.summary { font-size: 1.12rem; color: var(--soft); max-width: 44rem; margin-top: .9rem; text-wrap: pretty }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin-top: 2rem; padding-top: 1.3rem; border-top: 1px solid var(--line) }
.figures div { display: flex; flex-direction: column-reverse }
.figures dd { margin: 0; font-size: 1.7rem; font-weight: 600; letter-spacing: -.02em; line-height: 1.2; order: 1 }
.figures dt { color: var(--soft); font-size: .86rem }
main > section { margin-top: 3rem }
main > section > h2 { margin-bottom: 1rem }
.proofs { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.4rem 2.2rem }
.proofs li { border-top: 2px solid var(--good); padding-top: .7rem }
.proofs li.bad { border-color: var(--bad) }
.proofs p { color: var(--soft); font-size: .94rem; margin-top: .2rem }
.proofs em { color: var(--bad); font-weight: 400 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .94rem }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .84rem; white-space: nowrap }
th, td { padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th:last-child, td:last-child { padding-right: 0 }
.overview td code { white-space: nowrap }
.number { text-align: right; font-variant-numeric: tabular-nums }
.status { white-space: nowrap; font-size: .86rem; font-weight: 550 }
.status.good { color: var(--good) } .status.bad { color: var(--bad) }
.status::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; background: currentColor; margin-right: .45em }
.status.bad::before { border-radius: 1px }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.6rem 1.8rem 1.7rem; margin-top: 1.6rem }
main > section + .card { margin-top: 3rem }
.card.bad { border-color: var(--bad) }
.card-head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .4rem 1.5rem; align-items: flex-start }
.result { display: flex; gap: .8rem; align-items: center; padding-top: .35rem }
.story { margin-top: .6rem; max-width: 46rem; color: var(--soft); text-wrap: pretty }
.differs { margin-top: .8rem; color: var(--bad); font-weight: 550 }
.facts { list-style: none; padding: 0; margin-top: 1.2rem; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(23rem, 100%), 1fr)); gap: .35rem 2rem; font-size: .94rem }
.facts li { padding-left: 1.5rem; position: relative; overflow-wrap: anywhere }
.facts li::before { content: ""; position: absolute; left: .15rem; top: .42em; width: .7em; height: .36em; border: solid var(--good); border-width: 0 0 2px 2px; transform: rotate(-45deg) }
.facts li.bad { color: var(--bad); grid-column: 1 / -1 }
.facts li.bad::before { content: "×"; border: 0; transform: none; top: -.12em; font-weight: 700; font-size: 1.15em }
.found { display: block; color: var(--ink); font-size: .88rem }
.timeline { margin-top: 1.4rem }
.lanes { display: grid; grid-template-columns: 5.4rem minmax(0, 1fr); row-gap: .75rem; align-items: start }
.lanes > svg { display: block; overflow: visible }
.lanes > .moments { margin-bottom: -.9rem }
.lanes .host { grid-column: 1 / -1; font-size: .9rem; margin-bottom: -.45rem }
.names { display: grid; grid-auto-rows: 28px; font-size: .8rem; color: var(--soft); line-height: 24px }
.names span { overflow: hidden; text-overflow: ellipsis; padding-right: .5rem }
.names .commands { line-height: 24px }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--soft) }
.band rect { rx: 4px }
.band text { font-weight: 600; paint-order: stroke; stroke-width: 5px; stroke-linejoin: round }
.band[class] rect.outline { fill: none; stroke: var(--bad); stroke-width: 3px }
.bar rect { fill: var(--bar); rx: 2px }
.bar text { font-size: 10.5px; fill: var(--bar-ink) }
.bar.failed rect { fill: var(--bad-tint); stroke: var(--bad) } .bar.failed text { fill: var(--bad) }
.bar.own rect { fill: var(--own) } .bar.own text { fill: var(--own-ink); font-weight: 600 }
.silent { stroke: var(--silent); stroke-width: 2; stroke-dasharray: 2 4 }
.mark { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 3 }
.mark.reverted, .mark.note { stroke: var(--good) }
.flag { font-weight: 600 }
.flag.killed, .flag.refused { fill: var(--bad) } .flag.reverted, .flag.note { fill: var(--good) }
.axis line { stroke: var(--line) } .axis text { font-size: 11px; font-variant-numeric: tabular-nums }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .7rem 0 0 5.4rem; font-size: .8rem; color: var(--soft) }
figcaption span { display: inline-flex; align-items: center; gap: .4rem }
.swatch { width: 14px; height: 10px; border-radius: 2px; display: inline-block }
.swatch.unhealthy { border: 2px solid var(--bad) } .swatch.work { background: var(--bar) } .swatch.own { background: var(--own) }
.swatch.failed { background: var(--bad-tint); border: 1px solid var(--bad) }
i.swatch.silent { height: 0; border-top: 2px dotted var(--silent) }
${[0, 1, 2, 3, 4, 5].map((n) => `.band.v${n} rect { fill: var(--v${n}) } .band.v${n} text { fill: var(--v${n}i); stroke: var(--v${n}) } .swatch.v${n} { background: var(--v${n}) }`).join('\n')}
.issue { margin-top: 1.6rem; border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem 1.4rem; background: var(--paper) }
.issue > h3 { font-size: 1.15rem; margin-top: .2rem; overflow-wrap: anywhere }
.issue-number { color: var(--soft); font-weight: 400 }
.issue-meta, .labels { color: var(--soft); font-size: .88rem; margin-top: .4rem }
.pill { background: var(--good-tint); color: var(--good); border-radius: 999px; padding: .1rem .6rem; font-weight: 600; margin-right: .3rem }
.label { border: 1px solid var(--line); border-radius: 999px; padding: .05rem .6rem; font-size: .8rem; white-space: nowrap; background: var(--card) }
.issue-body { margin-top: 1rem; padding-top: .4rem; border-top: 1px solid var(--line); font-size: .94rem; overflow-wrap: anywhere }
.issue-body > * + * { margin-top: .7rem }
.issue-body h3, .issue-body h4, .issue-body h5, .issue-body h6 { font-size: 1rem; margin: 1.2rem 0 0; font-weight: 620 }
.issue-body h4 { font-size: 1.08rem }
.issue-body ul { padding-left: 1.2rem }
.issue-body li + li { margin-top: .2rem }
.issue-body li.task { list-style: none; margin-left: -1.2rem; display: flex; gap: .55rem; align-items: baseline }
.issue-body table { width: auto }
.issue-body td:first-child { white-space: nowrap; padding-right: 1.6rem }
.box { width: .85em; height: .85em; border: 1.5px solid var(--silent); border-radius: 3px; flex: none; transform: translateY(.08em) }
.address { color: var(--link) }
details { margin-top: 1.2rem; font-size: .9rem }
summary { cursor: pointer; color: var(--soft) }
details pre { margin-top: .6rem; max-height: 30rem; overflow-y: auto }
footer { max-width: 64rem; margin: 0 auto; padding: 1.6rem 1.5rem 3rem; color: var(--soft); font-size: .84rem }
@media (max-width: 34rem) {
  main { padding: 2rem 1rem .5rem } .card { padding: 1.2rem 1rem 1.3rem; border-radius: 12px } .issue { padding: 1rem }
  .lanes { grid-template-columns: minmax(0, 1fr); row-gap: .3rem } figcaption { margin-left: 0 }
  .lanes > .moments { margin-bottom: -.9rem }
.lanes .host { margin-bottom: 0 } .names { display: flex; gap: .5rem; font-size: .76rem; line-height: 1.3 } .names:empty, .names .commands, .bar text { display: none }
  .names span + span:not(.commands)::before { content: "· " }
  .overview thead { display: none } .overview tr { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .6rem 0; border-bottom: 1px solid var(--line) }
  .overview td { border: 0; padding: 0 } .overview td:nth-child(1) { order: 1 } .overview td:nth-child(5) { order: 2 } .overview td:nth-child(2) { display: none }
  .overview td:nth-child(3) { order: 3 } .overview td:nth-child(4) { order: 4 } .overview .number::after { content: " s" }
  .figures { gap: 1rem 2rem } .figures dd { font-size: 1.4rem }
  footer { padding-left: 1rem; padding-right: 1rem }
}
@media print {
  :root { --paper: #fff } body { font-size: 11pt } main, footer { max-width: none; padding-left: 0; padding-right: 0 } main { padding-top: 0 }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  .card { border-radius: 0; border-width: 1px 0 0; padding: 1rem 0; } .timeline, .card-head, .facts, tr { break-inside: avoid }
  h2, h3 { break-after: avoid } details { display: none }
}
`;
