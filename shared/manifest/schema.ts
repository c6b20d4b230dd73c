import * as z from 'zod';
import {
  address,
  duration,
  fileName,
  folder,
  hostKeys,
  name,
  owner,
  port,
  secretNames,
  text,
  unit,
  user,
} from './fields';
import { checkEnvironment } from './rules';
import { placeholderProblems } from './version';

const endpointShape = {
  address: address.describe('Host name or IP address, as the runner reaches it.'),
  user: user.describe('Account on the host.'),
  port: port.default(22).describe('SSH port.'),
  'host-key': hostKeys
    .optional()
    .describe('Public host key or keys of the machine, "ssh-ed25519 AAAA…". Without it, only ssh-known-hosts decides.'),
};

const jumpSchema = z
  .strictObject(endpointShape)
  .describe('A machine that the connection passes through.')
  .meta({ title: 'Jump host' });

const roles = z.array(name);

const commonHostShape = {
  sudo: z.boolean().default(false).describe('Run the agent on the host through sudo, without a password.'),
  roles: roles.default([]).describe('What the host is for; components and migrations choose hosts by role.'),
};

const sshHostSchema = z.strictObject({
  connection: z.literal('ssh').optional().describe('How the host is reached: ssh (the default) or local.'),
  ...endpointShape,
  jump: z
    .union([jumpSchema, z.array(jumpSchema).min(1)])
    .optional()
    .describe('Jump host, or a list of them with the one nearest to the runner first.'),
  ...commonHostShape,
});

const localHostSchema = z.strictObject({
  connection: z.literal('local').describe('The runner itself: no SSH, so no address and no user.'),
  ...commonHostShape,
});

export const hostSchema = z.discriminatedUnion('connection', [sshHostSchema, localHostSchema]);

const serviceShape = {
  when: z
    .enum(['stop-start', 'restart', 'reload'])
    .default('stop-start')
    .describe('Stop before and start after the switch of current, or only restart or reload after it.'),
  timeout: duration({ min: '1s', max: '1h', wholeSeconds: true })
    .default('90s')
    .describe('Longest time that one start or stop may take.'),
};

const systemdSchema = z.strictObject({
  manager: z.literal('systemd').describe('Units of systemd.'),
  units: z.array(unit).min(1).describe('Units, in the order in which they are started.'),
  ...serviceShape,
});

const processSchema = z.strictObject({
  manager: z.literal('process').describe('One process whose pid file the agent keeps.'),
  command: text.describe('Shell text that runs the program in the foreground, in the folder current.'),
  ...serviceShape,
});

const commandSchema = z.strictObject({
  manager: z.literal('command').describe('Commands of your own.'),
  start: text.describe('Shell text that starts the service and ends with 0 once it has started.'),
  stop: text.describe('Shell text that stops the service and ends with 0 once it has stopped.'),
  status: text.describe('Shell text that ends with 0 exactly when the service is active.'),
  secrets: secretNames
    .default([])
    .describe('Environment variables of the action that the commands may see. They travel over standard input.'),
  ...serviceShape,
});

export const serviceSchema = z.discriminatedUnion('manager', [systemdSchema, processSchema, commandSchema]);

const artifact = text.superRefine((template, context) => {
  for (const message of placeholderProblems(template)) context.addIssue({ code: 'custom', message });
});

export const componentSchema = z.strictObject({
  roles: roles
    .min(1)
    .optional()
    .describe('The component goes to every host that has one of these roles. Default: to every host.'),
  root: folder.describe('Absolute folder on the host that holds releases/ and the link current.'),
  artifact: artifact.describe(
    `Path on the runner of a .tar, .tar.gz, .tar.zst or a folder; \${version} is replaced, and $\${ is a literal \${.`,
  ),
  service: serviceSchema
    .optional()
    .describe('What runs the component. Without it, files are switched and nothing restarts.'),
  'version-file': fileName.optional().describe('File below root that carries the version for other tools.'),
  owner: owner.optional().describe('user or user:group that gets the unpacked files.'),
});

export const migrationSchema = z.strictObject({
  role: name.describe('The migration runs on the first host with this role.'),
  tool: z.enum(['command']).default('command').describe('What runs the migration.'),
  up: text.describe('Shell text that brings the schema to the new version.'),
  down: text.optional().describe('Shell text that undoes up.'),
  version: text.optional().describe('Shell text that prints the version of the schema.'),
  backup: text.optional().describe('Shell text that backs the data up before up.'),
  restore: text.optional().describe('Shell text that brings the backup back.'),
  'backward-compatible': z
    .boolean()
    .default(false)
    .describe(
      'The previous release runs on the new schema, so the code may be reverted without undoing the migration.',
    ),
  secrets: secretNames
    .default([])
    .describe('Environment variables of the action that the commands may see. They travel over standard input.'),
  timeout: duration({ min: '1s', max: '24h', wholeSeconds: true })
    .default('600s')
    .describe('Longest time that one of the commands may take.'),
});

export const rolloutSchema = z.strictObject({
  canary: z.array(name).default([]).describe('Hosts that are switched and checked first, as a wave of their own.'),
  'max-parallel': z.int().min(1).max(1000).default(5).describe('Most hosts in one wave after the canary.'),
  lease: duration({ min: '2s', max: '10m', wholeSeconds: true })
    .default('30s')
    .describe('A host that has switched and hears nothing for this long reverts by itself.'),
  'keep-releases': z
    .int()
    .min(2)
    .max(1000)
    .default(5)
    .describe('Releases kept on a host; at least 2, so that there is a way back.'),
  pause: duration({ min: '0s', max: '24h' }).default('0s').describe('Wait between waves.'),
});

export const healthSchema = z.strictObject({
  suites: z.array(text).default([]).describe("Files with checks, relative to the manifest's folder."),
  stabilise: duration({ min: '0s', max: '1h' })
    .default('10s')
    .describe('Wait between the start of the services and the verdict.'),
  deadline: duration({ min: '1s', max: '24h' }).default('120s').describe('Longest time until the verdict.'),
  baseline: z
    .boolean()
    .default(true)
    .describe('Ask every check once before a deployment changes anything, to tell what was red already.'),
});

export const incidentSchema = z.strictObject({
  labels: z
    .array(text)
    .default(['production-rollback', 'incident', 'high-priority'])
    .describe('Labels of the incident issue.'),
  'postmortem-within': duration({ min: '1m', max: '8760h' })
    .default('48h')
    .describe('When the post-mortem is due, counted from the incident.'),
  'jira-project': z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,254}$/, { error: () => 'is not a Jira project key: upper-case letters, digits and _' })
    .optional()
    .describe('Key of the Jira project that gets a ticket as well.'),
});

export const pathsSchema = z.strictObject({
  state: folder.default('/var/lib/deploy-safeguard').describe("The agent's own files; one folder an app below it."),
  captures: folder.default('/var/backups/deployment-state').describe('State captures.'),
  forensics: folder
    .default('/var/backups/deployment-forensics')
    .describe('What is kept of a failed release before a rollback.'),
});

const needsOne = (what: string) => ({ error: () => `needs at least one ${what}` });
const hasEntries = (map: object) => Object.keys(map).length > 0;

export const environmentSchema = z
  .strictObject({
    hosts: z
      .record(name, hostSchema)
      .refine(hasEntries, needsOne('host'))
      .describe('Machines, in order. The first one that is not local keeps the decision and the lock.'),
    components: z
      .record(name, componentSchema)
      .refine(hasEntries, needsOne('component'))
      .describe('Parts of the application, in deployment order; reverted in reverse.'),
    migrations: z
      .record(name, migrationSchema)
      .default({})
      .describe('Changes of a data store, in order; undone in reverse.'),
    rollout: rolloutSchema.prefault({}).describe('In which waves the hosts are switched.'),
    health: healthSchema.prefault({}).describe('What has to be green before a deployment is committed.'),
    incident: incidentSchema.prefault({}).describe('What is opened when a deployment is rolled back.'),
    paths: pathsSchema.prefault({}).describe('Folders on every host.'),
  })
  .superRefine((environment, context) => {
    for (const { path, message } of checkEnvironment(environment))
      context.addIssue({ code: 'custom', path: [...path], message });
  });

/** The manifest as it is written. It holds no transform, so that the published JSON Schema says the same. */
export const manifestSchema = z
  .strictObject({
    app: name.describe('Name of the application. One transaction at a time runs for it on a host.'),
    environments: z
      .record(name, environmentSchema)
      .refine(hasEntries, needsOne('environment'))
      .describe('Where the application is deployed to.'),
  })
  .describe('Manifest of deploy-safeguard.');

export type ManifestSource = z.output<typeof manifestSchema>;
export type HostSource = z.output<typeof hostSchema>;
export type ServiceSource = z.output<typeof serviceSchema>;
