import type { Incident } from './incident';

/** Where an incident ended up in one system. */
export interface Delivery {
  /** The system's own number of it. */
  number: number;
  /** Its page. */
  url: string;
  /** false when it joined an incident that was open already. */
  created: boolean;
  /** What did not go as it should although the incident arrived. */
  warnings: string[];
}

/** A system that incidents are told to. Each one delivers by itself, with its own retries. */
export interface Sink {
  /** As the reader knows it, for messages. */
  readonly name: string;
  /** Throws SafeguardError when the incident did not arrive, or nobody can say whether it did. */
  deliver(incident: Incident): Promise<Delivery>;
}
