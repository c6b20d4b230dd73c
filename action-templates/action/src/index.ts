import { setOutputs } from '../../../shared/action/outputs';
import { runAction } from '../../../shared/action/run-action';
import { readInputs } from './inputs';
import { run } from './main';

runAction({
  name: 'example-action',
  main: async ({ log }) => {
    const { text } = run(readInputs(), { log });
    setOutputs({ text }, log);
    return 0;
  },
});
