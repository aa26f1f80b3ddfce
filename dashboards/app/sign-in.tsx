/** Where there is no session: asks for the token once. */
import { useState } from 'preact/hooks'
import { type Problem, signIn } from './api.ts'

export function SignIn() {
  const [problem, say] = useState('')
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const given = new FormData(event.currentTarget as HTMLFormElement).get('token')
    signIn(String(given).trim()).catch(({ status, detail }: Problem) => say(status === 401 ? 'That is not the token.' : detail))
  }
  return (
    <main class="sign-in">
      <form onSubmit={submit} class="card">
        <h1>Lapwing</h1>
        <p class="about">Sign in with the API token. It is printed at start and kept in the file api-token of the data directory.</p>
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autoComplete="off" required aria-describedby="sign-in-problem" />
        <p id="sign-in-problem" class="problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </main>
  )
}
