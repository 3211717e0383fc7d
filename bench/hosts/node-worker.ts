import { engineNamed } from '../engines/index.ts';
import { type Command, obey, type Order, Session } from '../session.ts';

const SAMPLE_MILLISECONDS = 0.3;
const session = new Session(engineNamed(process.argv[2]!), SAMPLE_MILLISECONDS);

process.on('message', ({ command, order }: { command: Command; order: Order }) => {
  void obey(session, command, order).then((reply) => process.send!(reply));
});
process.on('disconnect', () => process.exit());
