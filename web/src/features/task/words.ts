import type { Task } from '@/api/client'
import type { Tone } from '@/lib/status'

const KINDS: Record<string, string> = {
  'endpoint.recover': 'Recover what failed',
  'endpoint.replay': 'Replay',
  'endpoint.replay-missing': 'Send what was missed',
}

const STATES: Record<string, [text: string, tone: Tone]> = {
  running: ['Running', 'warn'],
  finished: ['Finished', 'good'],
  failed: ['Failed', 'bad'],
  cancelled: ['Cancelled', 'quiet'],
}

export const kindOf = (task: Task) => KINDS[task.task] ?? task.task
export const stateOf = (task: Task) => STATES[task.status] ?? ([task.status, 'quiet'] as [string, Tone])
