/** What the harness did and when, for the timeline. */
export interface Event {
  /** Milliseconds since the epoch. */
  at: number;
  kind: 'fault' | 'heal' | 'action' | 'state';
  host: string | null;
  text: string;
}

export class Story {
  readonly events: Event[] = [];

  tell(kind: Event['kind'], text: string, host: string | null = null): void {
    this.events.push({ at: Date.now(), kind, host, text });
  }
}
