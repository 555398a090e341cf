/** submit-permission.test - who may submit, and as whom */
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { findUserById } from '@posthorn/native/user'
import { SubmitPermission } from './submit-permission.ts'

const uid = process.getuid?.() ?? 0
const login = findUserById(uid)?.name ?? `uid:${uid}`

function permission(settings: Record<string, string>): SubmitPermission {
  return new SubmitPermission(MainConfig.of({ recipient_delimiter: '+', ...settings }), uid)
}

t.test('SubmitPermission asks authorized_submit_users', async (t) => {
  t.equal(await permission({}).maySubmit(), true)
  t.equal(await permission({ authorized_submit_users: `!${login}, static:all` }).maySubmit(), false)
  t.equal(await permission({ authorized_submit_users: login }).maySubmit(), true)
  t.equal(await permission({ authorized_submit_users: 'nobody-else' }).maySubmit(), false)
})

t.test('SubmitPermission asks local_login_sender_maps', async (t) => {
  const allowed = async (map: string, sender: string): Promise<number> =>
    (await permission({ local_login_sender_maps: map }).senderProblem(sender))?.status ?? 0
  const own = `inline:{ {${login}=foo@x.y, @dom.z} }`
  for (const sender of ['foo@x.y', 'Foo@X.Y', 'foo+ext@x.y', 'bar@DOM.z']) {
    t.equal(await allowed(own, sender), 0, sender)
  }
  for (const sender of ['bar@sub.dom.z', '', 'foo', 'foo@x'])
    t.equal(await allowed(own, sender), 512)
  t.equal(await allowed(`inline:{ {${login}=<> foo} }`, ''), 0)
  t.equal(await allowed(`inline:{ {${login}=<> foo} }`, 'foo'), 0)
  t.equal(await allowed('inline:{ other=* }', 'foo'), 512)
  t.equal(await allowed('fail:x', 'foo'), 2)
  t.equal(await allowed('static:*', 'foo'), 0)
})
