/** The first screen and the actions of its items. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { nowPage } from './page.tsx'

export const nowPages: readonly Page[] = [nowPage]

const takenPath = (item: string) => `/v4/attention/${encodeURIComponent(item)}/taken`

export const nowOperations: Operations = {
  'attention.take': {
    scope: 'event:run',
    verb: 'Take',
    call: ({ get }) => ({ method: 'PUT', path: takenPath(get('item')), body: { note: get('note') } }),
    done: () => 'You have taken it. Colleagues see your name at the item.',
  },
  'attention.giveBack': {
    scope: 'event:run',
    verb: 'Give back',
    call: ({ get }) => ({ method: 'DELETE', path: takenPath(get('item')) }),
    done: () => 'Given back.',
  },
}
