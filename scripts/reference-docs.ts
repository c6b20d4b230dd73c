import * as z from 'zod';
import { suiteSchema } from '../shared/checks/suites';
import { manifestSchema } from '../shared/manifest/schema';

/** The parts of a JSON Schema that the tables show. */
interface Schema {
  description?: string;
  $comment?: string;
  type?: string;
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
}

/** Regions of docs/manifest.md, by name: a table of the keys of each part of the manifest. */
export function manifestTables(): Map<string, string> {
  const manifest = jsonSchema(manifestSchema);
  const environment = entry(at(manifest, 'environments'));
  const part = (name: string) => at(environment, name);
  const [sshHost, localHost] = variants(entry(part('hosts')));
  const component = entry(part('components'));
  return new Map([
    ['manifest', keyTable(manifest)],
    ['environment', keyTable(environment)],
    ['host', keyTable(sshHost)],
    ['local-host', keyTable(localHost)],
    ['component', keyTable(component)],
    ...variants(at(component, 'service')).map((service): [string, string] => [
      `service-${String(at(service, 'manager').const)}`,
      keyTable(service, ['manager']),
    ]),
    ['migration', keyTable(entry(part('migrations')))],
    ...['rollout', 'health', 'incident', 'paths'].map((name): [string, string] => [name, keyTable(part(name))]),
  ]);
}

/** Regions of docs/health-checks.md: the keys that all checks share, those of each type, and its expectations. */
export function checkTables(): Map<string, string> {
  const types = variants(at(jsonSchema(suiteSchema()), 'checks').items ?? {});
  const [first = {}] = types;
  const shared = Object.keys(first.properties ?? {}).filter((key) =>
    types.every(({ properties = {} }) => JSON.stringify(properties[key]) === JSON.stringify(first.properties?.[key])),
  );
  const tables = new Map([['common', keyTable(first, [], shared)]]);
  for (const type of types) {
    const name = String(at(type, 'type').const);
    tables.set(
      `check-${name}`,
      keyTable(type, ['type', ...(type.properties?.['expect']?.properties === undefined ? [] : ['expect']), ...shared]),
    );
    const expect = type.properties?.['expect'];
    if (expect?.properties !== undefined) tables.set(`expect-${name}`, keyTable(expect));
  }
  return tables;
}

/** docs/checks/reference.md: the keys of every type. */
export function checkReference(): string {
  const tables = checkTables();
  const types = variants(at(jsonSchema(suiteSchema()), 'checks').items ?? {});
  const sections = types.map((type) => {
    const { const: name, description = '' } = at(type, 'type');
    const expect = tables.get(`expect-${name}`);
    return [
      `## \`${name}\``,
      '',
      description,
      tables.get(`check-${name}`) ?? '',
      ...(expect === undefined ? [] : ['`expect`:', expect]),
    ].join('\n');
  });
  return [
    '# Keys of every check',
    '',
    'Written by `npm run docs` from the schema that suites are read with. How suites work: [health checks](../health-checks.md).',
    '',
    '## Every check',
    tables.get('common') ?? '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function jsonSchema(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, { io: 'input' }) as Schema;
}

function at(schema: Schema, key: string): Schema {
  const found = schema.properties?.[key];
  if (found === undefined) throw new Error(`the schema has no key ${key}`);
  return found;
}

/** What each value of a map is. */
function entry(map: Schema): Schema {
  if (typeof map.additionalProperties !== 'object') throw new Error('the schema is no map');
  return map.additionalProperties;
}

function variants(schema: Schema): Schema[] {
  return schema.oneOf ?? [];
}

function keyTable(schema: Schema | undefined, without: readonly string[] = [], only?: readonly string[]): string {
  if (schema?.properties === undefined) throw new Error('the schema has no keys');
  const rows = Object.entries(schema.properties)
    .filter(([key]) => !without.includes(key) && (only === undefined || only.includes(key)))
    .map(([key, value]) => {
      const fallback = defaultOf(value, schema.required?.includes(key) ?? false);
      return `| \`${key}\` | ${cell(describe(value))} | ${cell(allowed(value))} | ${fallback} |`;
    });
  return ['', '| Key | What it is | Allowed | Default |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function describe({ description, items }: Schema): string {
  return description ?? items?.description ?? '';
}

function defaultOf(schema: Schema, required: boolean): string {
  if (required) return '**required**';
  const value = schema.default;
  // An empty list or a part with defaults of its own says nothing that the table does not.
  if (value === undefined || (typeof value === 'object' && Object.keys(value ?? {}).length === 0)) return '';
  return `\`${Array.isArray(value) ? value.join(', ') : String(value)}\``;
}

function allowed(schema: Schema): string {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema.$comment !== undefined) return schema.$comment;
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return [...new Set(choices.map(allowed))].join(' or ');
  switch (schema.type) {
    case 'integer':
    case 'number':
      return range(schema);
    case 'boolean':
      return '`true`, `false`';
    case 'array':
      return `list of ${allowed(schema.items ?? {})}`;
    case 'object':
      return schema.properties === undefined ? 'map' : 'keys';
    default:
      return 'text';
  }
}

function range({ minimum, maximum }: Schema): string {
  if (minimum === undefined && maximum === undefined) return 'number';
  return maximum === undefined ? `${minimum} or more` : `${minimum} to ${maximum}`;
}

function code(value: unknown): string {
  return `\`${String(value)}\``;
}

function cell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}
