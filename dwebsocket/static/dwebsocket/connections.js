"use strict";
// Shows who is connected anew every two seconds, and keeps what is selected.
(() => {
    const INTERVAL = 2000;
    const list = document.getElementById("websockets");

    const boxes = () => [...list.querySelectorAll("input.action-select")];

    function show(html) {
        const chosen = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
        const focused = list.contains(document.activeElement) && document.activeElement.value;
        list.innerHTML = html;
        for (const box of boxes()) {
            box.checked = chosen.has(box.value);
            if (box.value === focused) {
                box.focus();
            }
        }
    }

    async function refresh() {
        if (!document.hidden) {
            const response = await fetch(list.dataset.url, {redirect: "error"});
            if (!response.ok) {
                throw new Error(`HTTP ${response.status}`);
            }
            show(await response.text());
        }
        document.getElementById("websockets-stale").hidden = true;
    }

    async function run() {
        try {
            await refresh();
        } catch {
            document.getElementById("websockets-stale").hidden = false;
        }
        setTimeout(run, INTERVAL);
    }

    list.addEventListener("change", ({target}) => {
        if (target.id === "websockets-all") {
            for (const box of boxes()) {
                box.checked = target.checked;
            }
        }
    });
    setTimeout(run, INTERVAL);
})();
