import * as z from 'zod';
import { quote } from '../../host/quote';
import type { Environment } from '../../manifest/environment';
import { rule, secretNames } from '../../manifest/fields';
import type { Observation, PreparedCheck } from '../check';
import { type CheckType, selectHosts } from '../check-type';
import type { CheckContext } from '../context';
import { ran } from '../control-plane/place';
import { type Address, judgeInventory, judgePlan, noAnswer } from '../control-plane/plan-output';
import { checkPlaceholders, commonShape, hostSelection, templated } from '../fields';
import { once } from '../once';
import { fill, secretValues, valuesFor } from '../placeholders';

const schema = once(() =>
  z
    .strictObject({
      type: z
        .literal('terraform')
        .describe('Asks Terraform or OpenTofu, on the runner, whether what runs is what is written down.'),
      ...commonShape,
      ...hostSelection,
      folder: templated.min(1).describe('Folder of the configuration on the runner, initialised by an earlier step.'),
      program: z
        .string()
        .regex(/^[A-Za-z0-9_/.][A-Za-z0-9_/.-]*$/, rule('name a program, or its path without white space'))
        .default('terraform')
        .describe('Program to ask, such as tofu.'),
      plan: z.boolean().default(true).describe('true: the plan has to be empty.'),
      inventory: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/, rule('an output has a name of letters, digits, _ and -'))
        .optional()
        .describe('Output that has to hold the addresses of the hosts, as a list or as a map from their names.'),
      secrets: secretNames.default([]).describe('Environment variables of the action that the program may see.'),
    })
    .superRefine((spec, context) => {
      checkPlaceholders(context, [{ path: ['folder'], text: spec.folder, kind: 'text' }], false);
      if (!spec.plan && spec.inventory === undefined) {
        context.addIssue({
          code: 'custom',
          path: ['plan'],
          message: 'is false, and there is no inventory either: nothing would be asked',
        });
      }
      if (spec.inventory === undefined && (spec.hosts ?? spec.roles) !== undefined) {
        const message = 'selects the hosts of the inventory, and there is none';
        context.addIssue({ code: 'custom', path: [spec.hosts === undefined ? 'roles' : 'hosts'], message });
      }
    }),
);
type TerraformSpec = z.output<ReturnType<typeof schema>>;

export const terraformCheck: CheckType<TerraformSpec> = {
  type: 'terraform',
  category: 'control-plane',
  schema,
  bind: (spec, environment) => {
    const addresses = addressesOf(spec, environment);
    return { hosts: null, prepare: (_host, context) => prepare(spec, addresses, context) };
  },
};

/** The runner itself has no address, and no infrastructure code makes it. */
function addressesOf(spec: TerraformSpec, environment: Environment): Address[] {
  const remote = environment.hosts.filter(({ ssh }) => ssh !== null);
  if (spec.inventory === undefined) return [];
  const names = selectHosts(spec, environment, remote);
  return remote.flatMap(({ name, ssh }) =>
    ssh !== null && names.includes(name) ? [{ name, address: ssh.address }] : [],
  );
}

function prepare(spec: TerraformSpec, addresses: readonly Address[], context: CheckContext): PreparedCheck {
  const folder = fill(spec.folder, valuesFor(null, context));
  const secrets = secretValues(spec.secrets, context);
  const program = `${spec.program} -chdir=${quote(folder)}`;
  // Without a lock and without an answer from anybody: this only looks, and somebody else may be applying.
  const plan = `${program} plan -detailed-exitcode -input=false -lock=false -no-color`;
  const output = `${program} output -json -no-color`;
  const { inventory } = spec;
  return {
    target: `${spec.program} in ${folder}`,
    expected: [
      ...(spec.plan ? ['a plan without changes'] : []),
      ...(inventory === undefined
        ? []
        : [`the output ${inventory} with ${addresses.map(({ name, address }) => `${name} ${address}`).join(', ')}`]),
    ].join(', '),
    reproduce: [...(spec.plan ? [plan] : []), ...(inventory === undefined ? [] : [output])].join('; '),
    secrets: Object.values(secrets),
    attempt: async (attempt) => {
      const ask = (command: string) => ran(`TF_IN_AUTOMATION=1 ${command}`, null, secrets, attempt);
      const planned = spec.plan ? judgePlan(spec.program, await ask(plan)) : null;
      if (inventory === undefined || (planned !== null && planned.verdict !== 'pass')) return planned ?? nothingAsked;
      const compared = judgeOutput(spec.program, inventory, await ask(output), addresses);
      if (planned === null || compared.verdict !== 'pass') return compared;
      return { ...compared, found: `${planned.found}, ${compared.found}` };
    },
  };
}

const nothingAsked: Observation = { verdict: 'inconclusive', found: 'no data: nothing was asked' };

function judgeOutput(
  program: string,
  inventory: string,
  result: Awaited<ReturnType<typeof ran>>,
  addresses: readonly Address[],
): Observation {
  if (result.code !== 0) return noAnswer(program, 'output', result);
  return judgeInventory(inventory, result.stdout, addresses);
}
