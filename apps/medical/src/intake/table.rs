//! Comma-separated text (RFC 4180), small enough to be held in memory.

/// A table with the names of its columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    /// Line of the file, from 1, and one cell for each column.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// Reads a table whose first line names the columns. Empty lines are left out.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut lines = Cells { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
        let Some((_, columns)) = lines.next().transpose()? else {
            return Err("it is empty; expected a line with the names of columns".to_owned());
        };
        let columns: Vec<String> = columns.into_iter().map(|name| name.trim().to_owned()).collect();
        let mut rows = Vec::new();
        for row in lines {
            let (line, cells) = row?;
            if cells.len() != columns.len() {
                return Err(format!("line {line}: expected {} cells, found {}", columns.len(), cells.len()));
            }
            rows.push((line, cells));
        }
        Ok(Self { columns, rows })
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.eq_ignore_ascii_case(name))
    }
}

struct Cells<'t> {
    rest: &'t str,
    line: usize,
}

impl Iterator for Cells<'_> {
    type Item = Result<(usize, Vec<String>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.rest.is_empty() {
                return None;
            }
            let line = self.line;
            match self.cells() {
                Ok(cells) if cells.iter().all(String::is_empty) => (),
                Ok(cells) => return Some(Ok((line, cells))),
                Err(reason) => {
                    self.rest = "";
                    return Some(Err(format!("line {line}: {reason}")));
                }
            }
        }
    }
}

impl Cells<'_> {
    /// The cells of one line.
    fn cells(&mut self) -> Result<Vec<String>, String> {
        let mut cells = Vec::new();
        loop {
            let cell = match self.rest.strip_prefix('"') {
                Some(rest) => self.quoted(rest)?,
                None => {
                    let end = self.rest.find([',', '\n']).unwrap_or(self.rest.len());
                    let (cell, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    cell.trim_end_matches('\r').trim().to_owned()
                }
            };
            cells.push(cell);
            match self.rest.chars().next() {
                Some(',') => self.rest = &self.rest[1..],
                Some(_) => {
                    self.rest = &self.rest[1..];
                    self.line += 1;
                    return Ok(cells);
                }
                None => return Ok(cells),
            }
        }
    }

    /// A cell in quotes; `rest` is what follows the opening one.
    fn quoted(&mut self, mut rest: &str) -> Result<String, String> {
        let mut cell = String::new();
        loop {
            let end = rest.find('"').ok_or("a quote is opened and not closed")?;
            cell.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    rest = more;
                }
                None => break,
            }
        }
        self.line += cell.matches('\n').count();
        let rest = rest.trim_start_matches('\r');
        if !(rest.is_empty() || rest.starts_with([',', '\n'])) {
            return Err("expected a comma or the end of the line behind a closing quote".to_owned());
        }
        let behind = self.rest.len() - rest.len();
        self.rest = &self.rest[behind..];
        Ok(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_spreadsheets_write_them() {
        let text = "\u{feff}file, Label\r\na.png,normal\r\n\r\n\"b, \"\"2\"\".png\",\"two\nlines\"\nc.png,";
        let table = Table::read(text).unwrap();
        let row = |line, cells: [&str; 2]| (line, cells.map(str::to_owned).to_vec());
        let rows =
            [row(2, ["a.png", "normal"]), row(4, ["b, \"2\".png", "two\nlines"]), row(6, ["c.png", ""])];
        assert_eq!(table.rows, rows);
        assert_eq!(
            (table.column("label"), table.column("FILE"), table.column("side")),
            (Some(1), Some(0), None)
        );
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, expected) in [
            ("", "it is empty"),
            ("\n\n", "it is empty"),
            ("file,label\na.png", "line 2: expected 2 cells, found 1"),
            ("file\n\"a.png", "line 2: a quote is opened"),
            ("file\n\"a\".png", "line 2: expected a comma"),
        ] {
            let reason = Table::read(text).unwrap_err();
            assert!(reason.starts_with(expected), "{text:?}: {reason}");
        }
    }
}
