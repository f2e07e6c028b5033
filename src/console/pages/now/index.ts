/** The first screen and the actions of its items. */
import { addressOf } from '../../../http/endpoint/contract.ts'
import { GIVE_ATTENTION_BACK, TAKE_ATTENTION } from '../../../tasks/overview/contract.ts'
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { nowPage } from './page.tsx'

export const nowPages: readonly Page[] = [nowPage]

export const nowOperations: Operations = {
  'attention.take': {
    scope: 'event:run',
    verb: 'Take',
    call: ({ get }) => ({
      ...addressOf(TAKE_ATTENTION, { params: { key: get('item') } }),
      body: { note: get('note') },
    }),
    done: () => 'You have taken it. Colleagues see your name at the item.',
  },
  'attention.giveBack': {
    scope: 'event:run',
    verb: 'Give back',
    call: ({ get }) => addressOf(GIVE_ATTENTION_BACK, { params: { key: get('item') } }),
    done: () => 'Given back.',
  },
}
