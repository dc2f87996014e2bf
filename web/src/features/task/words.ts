import type { Task } from '@/api/client'
import type { Tone } from '@/lib/status'

const KINDS: Record<string, string> = {
  'endpoint.recover': 'Recover what failed',
  'endpoint.bulk-replay': 'Replay',
  'endpoint.replay': 'Send what was missed',
  'message.broadcast': 'Send to every application',
  'application.purge_content': 'Remove all content',
  'application.stats': 'Count usage',
}

const STATES: Record<string, [text: string, tone: Tone]> = {
  running: ['Running', 'warn'],
  finished: ['Finished', 'good'],
  failed: ['Failed', 'bad'],
}

export const kindOf = (task: Task) => KINDS[task.task] ?? task.task
export const stateOf = (task: Task): [text: string, tone: Tone] =>
  task.data.error === 'cancelled' ? ['Cancelled', 'quiet'] : (STATES[task.status] ?? [task.status, 'quiet'])
