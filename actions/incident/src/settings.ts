import { durationSeconds } from '../../../shared/manifest/duration';
import type { IncidentSettings } from '../../../shared/manifest/environment';
import { loadManifest, selectEnvironment } from '../../../shared/manifest/load';
import { incidentSchema } from '../../../shared/manifest/schema';

/** What the manifest says about incidents in one environment. Throws what the manifest's loader throws. */
export async function loadSettings(path: string, name: string): Promise<{ app: string; incident: IncidentSettings }> {
  const { app, incident } = selectEnvironment(await loadManifest(path), name);
  return { app, incident };
}

/** What the manifest's schema says when the manifest says nothing. */
export function defaultSettings(): IncidentSettings {
  const defaults = incidentSchema.parse({});
  return {
    labels: defaults.labels,
    postmortemWithinHours: durationSeconds(defaults['postmortem-within']) / 3600,
    jiraProject: null,
  };
}
