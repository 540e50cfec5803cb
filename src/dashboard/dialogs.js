/** Two questions to the person at the page: for the token, and whether something is really meant. */

import { find, reasonOf, say } from './dom.js';

/** @typedef {(form: HTMLFormElement) => Promise<void>} Act throws what is to be said instead */

/**
 * Asks, and acts where the answer is yes; what fails is said in the dialog, which stays.
 * @param {HTMLDialogElement} dialog
 * @param {Act} act
 * @returns {Promise<boolean>} whether it was done
 */
function ask(dialog, act) {
  const form = /** @type {HTMLFormElement} */ (find('form', dialog));
  const error = find('.error', dialog);
  error.textContent = '';
  dialog.showModal();
  return new Promise((resolve) => {
    let isDone = false;
    find('[data-does=cancel]', dialog).onclick = () => dialog.close();
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        await act(form);
        isDone = true;
        dialog.close();
      } catch (failure) {
        say(error, reasonOf(failure));
      }
    };
    dialog.onclose = () => {
      form.reset();
      resolve(isDone);
    };
  });
}

const dialogOf = (/** @type {string} */ id) => /** @type {HTMLDialogElement} */ (find(id));

/**
 * @param {(token: string) => Promise<void>} use throws where it is not the right one
 * @param {(() => void) | undefined} forget where there is one already
 */
export function askForToken(use, forget) {
  const dialog = dialogOf('#token-dialog');
  const button = find('[data-does=forget]', dialog);
  button.hidden = forget === undefined;
  button.onclick = () => {
    forget?.();
    dialog.close();
  };
  return ask(dialog, (form) => use(String(new FormData(form).get('token')).trim()));
}

/**
 * @param {{ readonly title: string, readonly text: string, readonly button: string }} question
 * @param {() => Promise<void>} act
 */
export function askWhether({ title, text, button }, act) {
  const dialog = dialogOf('#sure');
  say(find('#sure-title'), title);
  say(find('#sure-text'), text);
  say(find('.primary', dialog), button);
  return ask(dialog, act);
}
