import * as z from 'zod';
import { suiteSchema } from '../shared/checks/suites';
import { manifestSchema } from '../shared/manifest/schema';
import { reportSchema } from '../shared/report/report';

/** The published JSON Schemas, by path: of what users write, and of what the actions write. */
export function renderSchemas(): Map<string, string> {
  return new Map([
    [
      'schema/safeguard.schema.json',
      render(manifestSchema, 'input', 'deploy-safeguard manifest', 'What .github/safeguard.yml may contain.'),
    ],
    [
      'schema/suite.schema.json',
      render(suiteSchema(), 'input', 'deploy-safeguard health checks', 'What a file under health.suites may contain.'),
    ],
    [
      'schema/report.schema.json',
      render(reportSchema, 'output', 'deploy-safeguard report', 'What every action writes about its run.'),
    ],
  ]);
}

/** `io`: a default makes a key optional for the one who writes, and present for the one who reads. */
function render(schema: z.ZodType, io: 'input' | 'output', title: string, description: string): string {
  const { $schema, title: _title, description: _, ...rest } = z.toJSONSchema(schema, { io });
  return `${JSON.stringify({ $schema, title, description, ...rest }, null, 2)}\n`;
}
