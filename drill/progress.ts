import type { Fact, PlayedScenario } from './scenario';
import { renderTable } from './table';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 90;

/** A stream for people, a terminal or not. */
export interface Output {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  /** Width of a terminal, in characters. */
  columns?: number | undefined;
}

/** Tells people what happens while it happens. On a terminal the running step is a live line; elsewhere all lines are plain. */
export class Progress {
  private readonly out: Output;
  private readonly live: boolean;
  private readonly color: boolean;
  private readonly verbose: boolean;
  private timer: NodeJS.Timeout | null = null;
  private scenarioStart = 0;
  private stepStart = 0;
  private step: string | null = null;
  private frame = 0;

  constructor(out: Output, options: { verbose: boolean; color: boolean }) {
    this.out = out;
    this.live = out.isTTY === true;
    this.color = options.color && this.live;
    this.verbose = options.verbose;
  }

  line(text = ''): void {
    this.wipe();
    this.out.write(`${text}\n`);
  }

  scenario(number: number, total: number, title: string): void {
    this.scenarioStart = Date.now();
    this.line();
    this.line(`${this.paint('2', `${number}/${total}`)} ${this.paint('1', title)}`);
  }

  tell(text: string): void {
    this.endStep();
    this.step = text;
    this.stepStart = Date.now();
    if (!this.live) {
      this.line(`${this.since()}  ${text}`);
      return;
    }
    this.timer ??= setInterval(() => this.draw(), frameMs);
    this.draw();
  }

  fact(fact: Fact): void {
    this.endStep();
    this.line(`${' '.repeat(10)}${fact.ok ? this.paint('32', 'ok') : this.paint('31;1', 'NOT SO')}  ${fact.text}`);
    if (!fact.ok && fact.found !== undefined) this.line(`${' '.repeat(14)}${this.paint('31', `found: ${fact.found}`)}`);
  }

  /** A line that an action printed. */
  output(text: string): void {
    if (this.verbose) this.line(this.paint('2', `${' '.repeat(10)}| ${text}`));
  }

  done(scenario: PlayedScenario): void {
    this.endStep();
    const verdict = scenario.ok ? this.paint('32', 'as expected') : this.paint('31;1', 'DIFFERENT');
    this.line(`${this.since()}  ${verdict}: ${scenario.outcome}`);
    if (!scenario.ok && scenario.outcome !== scenario.expected) this.line(`          expected: ${scenario.expected}`);
  }

  table(scenarios: readonly PlayedScenario[]): void {
    this.line();
    const rows = scenarios.map((scenario) => [
      scenario.title,
      scenario.expected,
      scenario.outcome,
      scenario.seconds.toFixed(1),
      scenario.ok ? 'ok' : 'DIFFERENT',
    ]);
    for (const row of renderTable(['Scenario', 'Expected', 'Got', 'Seconds', ''], rows, [3])) this.line(row);
  }

  /** Gives the terminal back. */
  stop(): void {
    this.endStep();
  }

  private endStep(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    const step = this.step;
    this.step = null;
    if (step === null || !this.live) return;
    const seconds = ((Date.now() - this.stepStart) / 1000).toFixed(1);
    this.line(`${this.paint('2', `${seconds.padStart(6)} s`)}  ${step}`);
  }

  private draw(): void {
    if (this.step === null) return;
    this.frame = (this.frame + 1) % frames.length;
    const seconds = ((Date.now() - this.stepStart) / 1000).toFixed(1);
    const width = Math.max(20, (this.out.columns || 80) - 1);
    const text = `${seconds.padStart(6)} s  ${this.step} ${frames[this.frame]}`.slice(0, width);
    this.out.write(`\r\u001b[2K${text}`);
  }

  private wipe(): void {
    if (this.live && this.step !== null) this.out.write('\r\u001b[2K');
  }

  private since(): string {
    return `${((Date.now() - this.scenarioStart) / 1000).toFixed(1).padStart(6)} s`;
  }

  private paint(code: string, text: string): string {
    return this.color ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
